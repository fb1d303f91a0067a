"""What the rules of the chaos tests are about: each round changes it so that every place is passed.

- `app` has an index that holds another, whose tag moves, and a referrer;
- `base` has an image over the layers that `app` had a round ago, so that they are mounted;
- `many` has more tags than one item may have.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from tests.chaos.observer import Place
from tests.support.address import Address
from tests.support.builders import (
    push_artifact,
    push_image_of,
    push_layer,
    push_many_tags,
    push_nested_index,
)
from tests.support.contents import contents
from tests.support.plain_repository import PlainRepository, Pushed

_TAG = "1.0"
_MANY = [f"1.{number}" for number in range(12)]


class Content:
    """What is in the source below *prefix*, and was there before."""

    def __init__(self, source: Address, prefix: str) -> None:
        self._source = source
        self.prefix = prefix
        self._rounds = 0
        self._earlier: str | None = None
        self._lock = threading.Lock()
        self.pushed: dict[Place, list[str]] = {}

    @property
    def moving(self) -> Sequence[Place]:
        """The tags that each round moves."""
        return [(f"{self.prefix}/app", _TAG), (f"{self.prefix}/base", _TAG)]

    def push_round(self) -> None:
        """Move the tags on; who reads meanwhile finds the old or the new."""
        with self._lock:
            self._rounds += 1
            seed = f"{self.prefix}-{self._rounds}"
            self._push_base(seed)
            self._push_app(seed)
            self._push_many(seed)

    def _push_base(self, seed: str) -> None:
        with self._open("base") as base:
            layers = [push_layer(base, f"{seed}-own")]
            if self._earlier is not None:
                layers.append(push_layer(base, self._earlier))
            self._note(base, _TAG, push_image_of(base, _TAG, layers=layers, label=seed))

    def _push_app(self, seed: str) -> None:
        with self._open("app") as app:
            self._earlier = f"{seed}-shared"
            shared = push_layer(app, self._earlier)
            self._note(app, "1.1", push_image_of(app, "1.1", layers=[shared], label=seed))
            index = push_nested_index(app, seed=seed)
            push_artifact(app, seed=seed, subject=index)
            self._note(app, _TAG, push_nested_index(app, _TAG, seed=seed))

    def _push_many(self, seed: str) -> None:
        with self._open("many") as many:
            for tag, image in push_many_tags(many, _MANY, seed=seed).items():
                self._note(many, tag, image)

    def differences(self, destination: Address, *, below: str = "mirror/") -> list[str]:
        """Return what is not at the destination as it is at the source, read again as a whole."""
        found = []
        for (path, tag), digests in self.pushed.items():
            with PlainRepository(destination, below + path) as repository:
                if repository.digest(tag) != digests[-1]:
                    found.append(f"{path}:{tag}")
                else:
                    contents(repository, digests[-1])
        return found

    def at(self, below: str = "mirror/") -> Mapping[Place, Sequence[str]]:
        """Return what each tag may be at the destination, oldest first."""
        return {(below + path, tag): digests for (path, tag), digests in self.pushed.items()}

    def _open(self, name: str) -> PlainRepository:
        return PlainRepository(self._source, f"{self.prefix}/{name}")

    def _note(self, repository: PlainRepository, tag: str, image: Pushed) -> None:
        self.pushed.setdefault((repository.path, tag), []).append(image.digest)
