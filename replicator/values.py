"""Values: frozen dataclasses with slots that cost next to nothing to define.

The standard library writes, compiles and runs the source of six methods for each such class, which
takes 0.45 ms. A command loads over a hundred of them and makes objects of half: that was an eighth
of its start. Here the methods are shared, and only ``__init__``, which is the standard library's
own, is made for each class, when its first object is. All else is as it was, and the type checker
sees the standard library's decorator.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool, order: bool = False) -> Callable[[type], type]:
        """Stand in for ``dataclasses.dataclass``, for classes that are frozen and have slots."""
        if not (frozen and slots):
            raise TypeError("a class that changes takes the decorator of the standard library")
        return lambda cls: _define(cls, order=order)


def _define(cls: Any, *, order: bool) -> type:
    if cls.__doc__ is None:
        # Or the standard library inspects the signature to write one.
        cls.__doc__ = cls.__name__
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    key = _key_of(cls)
    cls.__init__ = _first_init(cls)
    cls.__eq__, cls.__hash__ = _comparison(key, operator.eq), _hash(key)
    cls.__repr__, cls.__setstate__ = _show, _restore
    cls.__setattr__ = cls.__delattr__ = _refuse_change
    for name in ("__lt__", "__le__", "__gt__", "__ge__") if order else ():
        setattr(cls, name, _comparison(key, getattr(operator, name)))
    return cls  # type: ignore[no-any-return]


def _key_of(cls: Any) -> Callable[[Any], Any]:
    """Return what reads that of a value by which it is compared."""
    names = [each.name for each in dataclasses.fields(cls) if each.compare]
    return operator.attrgetter(*names) if names else lambda value: ()


def _first_init(cls: Any) -> Callable[..., None]:
    """Return an ``__init__`` that replaces itself by the one of the standard library."""

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        cls.__init__ = _standard_init(cls)
        cls.__init__(self, *arguments, **named)

    return init


def _standard_init(cls: Any) -> Any:
    after = getattr(cls, "__post_init__", None)
    twin: Any = dataclasses.make_dataclass(
        cls.__name__,
        [(each.name, each.type, each) for each in dataclasses.fields(cls)],
        namespace={"__post_init__": after} if after else {},
        repr=False,
        eq=False,
        frozen=True,
    )
    return twin.__init__


def _comparison(
    key: Callable[[Any], Any], compare: Callable[[Any, Any], Any]
) -> Callable[[Any, object], Any]:
    def method(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(key(self), key(other))

    return method


def _hash(key: Callable[[Any], Any]) -> Callable[[Any], int]:
    return lambda self: hash(key(self))


def _show(self: Any) -> str:
    shown = (
        f"{each.name}={getattr(self, each.name)!r}"
        for each in dataclasses.fields(self)
        if each.repr
    )
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _restore(self: Any, state: tuple[None, dict[str, Any]]) -> None:
    """Take the state of a copied or pickled value: what is in its slots."""
    for name, value in state[1].items():
        object.__setattr__(self, name, value)


def _refuse_change(self: Any, name: str, value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"{name!r} is of a value, and values do not change")
