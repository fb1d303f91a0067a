"""PlainLoader: YAML without its surprises."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml


class PlainLoader(yaml.SafeLoader):
    """Reads what JSON could say as well.

    In YAML 1.1 ``off`` is false, ``2024-01-01`` a date, ``1_0`` ten and ``12:30`` a number of
    minutes; here all of them are text. A key that is there twice is an error and not the last
    one of the two.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML wants it so)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'"{key}" is there twice', key_node.start_mark
                )
            seen.add(key if isinstance(key, Hashable) else id(key))
        return super().construct_mapping(node, deep=deep)


def _resolve(tag: str, pattern: str, first: str) -> None:
    PlainLoader.add_implicit_resolver(tag, re.compile(pattern), list(first))


_resolve("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf")
_resolve("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789")
_resolve("tag:yaml.org,2002:float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789")
_resolve("tag:yaml.org,2002:null", r"^(?:null|~|)$", "n~\0")
_resolve("tag:yaml.org,2002:merge", r"^<<$", "<")
