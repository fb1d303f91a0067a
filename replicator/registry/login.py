"""The credentials of one registry as they are used: read when needed, and given up when refused."""

from __future__ import annotations

import asyncio
from typing import Final

from replicator.errors import LoginRefused, Unauthorized
from replicator.registry.keychain import Keychain
from replicator.registry.retry import Clock
from replicator.registry.settings import Credentials

# In seconds. Helpers do not say how long their answer is good.
_READ_AGAIN: Final = 300.0
# While the credentials are refused, a rotated secret is noticed this soon.
_READ_AGAIN_REFUSED: Final = 5.0
# How long refused credentials are not tried again: accounts are locked by trying. It is twice as
# long after each further refusal, as Quay's lock is, which would else keep everybody out.
_REFUSED_FOR: Final = 60.0
_LONGEST_REFUSED_FOR: Final = 3600.0
# Some token services answer 401 for a repository that is closed to a good login. Credentials that
# worked before are given up only after this many refusals in a row.
_REFUSALS: Final = 3


class Login:
    """Reads the credentials of *registry* and remembers whether they were refused.

    ``version`` changes with the credentials: what was obtained with others must not be used.
    """

    def __init__(self, registry: str, keychain: Keychain, clock: Clock) -> None:
        self.version = 0
        self._registry = registry
        self._keychain = keychain
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._credentials: Credentials | None = None
        self._refused_at: float | None = None
        self._refusals = 0
        self._accepted = False
        self._pause = _REFUSED_FOR

    async def credentials(self) -> Credentials | None:
        """Return the credentials to use now, None for anonymous.

        Raises Unauthorized while they are known to be refused: nothing is sent then.
        """
        async with self._reading:
            if self._must_read():
                await self._read()
        if self._is_refused():
            raise self.refusal()
        return self._credentials

    def accept(self, credentials: Credentials) -> None:
        """Note that *credentials* worked."""
        if credentials == self._credentials:
            self._begin(accepted=True)

    async def refuse(self, credentials: Credentials, *, everywhere: bool = False) -> None:
        """Note that *credentials* were refused, and see whether there are others by now.

        *everywhere* says that it was not for one repository alone. Raises Unauthorized unless
        there are others.
        """
        async with self._reading:
            if credentials == self._credentials:
                await self._read()
            if credentials == self._credentials:
                self._refusals += 1
                if self._refusals >= (_REFUSALS if self._accepted else 1):
                    self._note_refusal()
        if credentials == self._credentials:
            raise self.refusal(everywhere=everywhere)

    def refusal(self, *, everywhere: bool = False) -> Unauthorized:
        """Return the error that says whose login was refused, or that one is needed.

        It is LoginRefused unless the login has worked before, and may do so *everywhere* else.
        """
        if self._credentials is None:
            reason = f"it asks for a login; try `replicate login {self._registry}`"
        elif self._credentials.username:
            reason = f"the login of user {self._credentials.username!r} was refused"
        else:
            reason = "the identity token was refused; log in again"
        is_certain = everywhere or self._credentials is None or self._is_refused()
        kind = LoginRefused if is_certain else Unauthorized
        return kind(f"{self._registry}: {reason}", status=401, registry=self._registry)

    def _must_read(self) -> bool:
        if self._read_at is None:
            return True
        pause = _READ_AGAIN_REFUSED if self._is_refused() else _READ_AGAIN
        return self._clock.monotonic() - self._read_at >= pause

    def _is_refused(self) -> bool:
        return (
            self._refused_at is not None
            and self._clock.monotonic() - self._refused_at < self._pause
        )

    def _begin(self, *, accepted: bool) -> None:
        self._accepted, self._refusals, self._refused_at = accepted, 0, None
        self._pause = _REFUSED_FOR

    def _note_refusal(self) -> None:
        if self._refused_at is not None and not self._is_refused():
            self._pause = min(2 * self._pause, _LONGEST_REFUSED_FOR)
        self._refused_at = self._clock.monotonic()

    async def _read(self) -> None:
        credentials = await self._keychain.credentials_for(self._registry)
        self._read_at = self._clock.monotonic()
        if credentials != self._credentials:
            self._credentials = credentials
            self.version += 1
            self._begin(accepted=False)
