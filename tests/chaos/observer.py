"""Observer: reads tags of a destination all the time; each must be whole, and never go back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from itertools import pairwise

from tests.support.address import Address
from tests.support.contents import Torn, contents
from tests.support.plain_http import UnexpectedAnswer
from tests.support.plain_repository import PlainRepository

_PAUSE = 0.02  # seconds between two rounds

Place = tuple[str, str]


class Observer:
    """Watches *places*, which are repositories and tags."""

    def __init__(self, address: Address, places: Sequence[Place]) -> None:
        self._address = address
        self._places = places
        self._stopping = threading.Event()
        self.looks = 0
        self.seen: dict[Place, list[str]] = {place: [] for place in places}
        self.torn: list[str] = []

    def watch(self) -> None:
        while not self._stopping.wait(_PAUSE):
            for path, tag in self._places:
                # A registry that is made to fail is looked at again.
                with suppress(OSError, HTTPException, UnexpectedAnswer):
                    self._look(path, tag)

    def stop(self) -> None:
        self._stopping.set()

    def _look(self, path: str, tag: str) -> None:
        with PlainRepository(self._address, path) as repository:
            digest = repository.digest(tag)
            self.looks += 1
            seen = self.seen[path, tag]
            if digest is None or (seen and seen[-1] == digest):
                return
            try:
                contents(repository, digest)
            except (Torn, UnexpectedAnswer) as error:
                self.torn.append(f"{path}:{tag} {digest}: {error}")
            seen.append(digest)

    def wrong(self, pushed: Mapping[Place, Sequence[str]]) -> list[str]:
        """Return what was seen that never was in the source, or after something newer.

        *pushed* is what each place had at the source, oldest first, each digest once.
        """
        found = []
        for place, seen in self.seen.items():
            order = {digest: number for number, digest in enumerate(pushed[place])}
            found += [f"{place}: {digest} is not ours" for digest in seen if digest not in order]
            known = [digest for digest in seen if digest in order]
            found += [
                f"{place}: {second} came after {first}"
                for first, second in pairwise(known)
                if order[second] < order[first]
            ]
        return found


@contextmanager
def watching(observer: Observer) -> Iterator[Observer]:
    thread = threading.Thread(target=observer.watch)
    thread.start()
    try:
        yield observer
    finally:
        observer.stop()
        thread.join()
