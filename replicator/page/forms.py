"""Forms: read within bounds, and believed only when they are ours."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicator.errors import AccessDenied, InvalidRequest
from replicator.page.visitor import Visitor, visitor_of

Form: TypeAlias = Mapping[str, str]

# In bytes; a rule is a few hundred.
_LARGEST: Final = 256 * 1024
_FIELDS: Final = 100


async def read_form(request: Request) -> dict[str, str]:
    """Read what a form sent. Raises InvalidRequest for more than a form of ours sends."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise InvalidRequest(f"a form has at most {_LARGEST} bytes", field="form")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"
        )
    except ValueError:
        raise InvalidRequest("this is no form of the page", field="form") from None
    return dict(pairs)


def posting(
    handle: Callable[[Request, Visitor, Form], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for a form that only its own page can have sent.

    Every form but the one to sign in goes through this.
    """

    async def endpoint(request: Request) -> Response:
        visitor, form = visitor_of(request), await read_form(request)
        if not hmac.compare_digest(form.get("csrf", "").encode(), visitor.csrf.encode()):
            raise AccessDenied("this form is from another session; load its page again")
        return await handle(request, visitor, form)

    return endpoint


def go_to(path: str) -> Response:
    """Send the browser to a page after a form, so that loading it again repeats nothing."""
    return RedirectResponse(path, 303)
