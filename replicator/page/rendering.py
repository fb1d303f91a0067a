"""Pages: templates, and what all of them need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from replicator import __version__
from replicator.api.v1.problems import meaning_of
from replicator.errors import ReplicatorError
from replicator.page import words

STATIC_FOLDER: Final = Path(__file__).parent / "static"


class Pages:
    """Fills templates. Everything that is put into one is escaped."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._templates = _templates()

    def text(self, template: str, **about: Any) -> str:
        """Fill a template."""
        now = self._clock()

        def when(at: datetime) -> str:
            return words.when(at, now)

        return self._templates.get_template(template).render(when=when, now=now, **about)

    def page(self, request: Request, template: str, status: int = 200, **about: Any) -> Response:
        """Answer with a page."""
        visitor = getattr(request.state, "visitor", None)
        text = self.text(template, visitor=visitor, here=request.url.path, **about)
        return HTMLResponse(text, status)

    def confirm(
        self,
        request: Request,
        *,
        title: str,
        words: str,
        button: str,
        crumbs: Sequence[tuple[str, str]],
    ) -> Response:
        """Ask once more before something is gone; the form goes to the address of the question.

        *crumbs* are the screens above, the last of which is where to go back to.
        """
        return self.page(
            request, "confirm.html", title=title, words=words, button=button, crumbs=crumbs
        )

    def error(self, request: Request, error: ReplicatorError) -> Response:
        """Answer with a page that says what is wrong."""
        status, title = meaning_of(error)
        return self.page(request, "error.html", status, title=title, detail=str(error))


@cache
def _templates() -> Environment:
    """Return all templates, compiled: no visitor waits for that, and it is done once."""
    templates = Environment(
        loader=PackageLoader("replicator.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        size=words.size,
        count=words.count,
        span=words.span,
        share=words.share,
        result=words.result,
        plain=words.plain,
        path=quoted,
    )
    templates.globals.update(
        file=_addresses(),
        link=_link,
        states=words.STATES,
        standings=words.STANDINGS,
        version=__version__,
    )
    for name in templates.list_templates():
        templates.get_template(name)
    return templates


def quoted(name: object) -> str:
    """Return a name as a part of a path."""
    return quote(str(name), safe=":")


def _addresses() -> Callable[[str], str]:
    """Return what says where a static file is; the address changes with its content."""
    known = {
        file.name: f"/static/{file.name}?{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in STATIC_FOLDER.iterdir()
    }
    return known.__getitem__


def _link(path: str, **query: object) -> str:
    """Return an address of this page, without what is not asked."""
    asked = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(asked)}" if asked else path
