"""Values: dataclasses with slots that cost next to nothing to define.

The standard library writes, compiles and runs the source of six methods for each such class, which
takes 0.45 ms. A command loads over a hundred of them and makes objects of half: that was an eighth
of its start. Here the methods are shared, and only ``__init__`` is compiled for each class, when
its first object is made. All else is as it was, and the type checker sees the standard library's
decorator. Most of our classes are frozen; those that are not get the same, and can be changed.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *, slots: bool, frozen: bool = False, order: bool = False
    ) -> Callable[[type], type]:
        """Stand in for ``dataclasses.dataclass``, for classes that have slots."""
        if not slots:
            raise TypeError("a class without slots takes the decorator of the standard library")
        return lambda cls: _define(cls, frozen=frozen, order=order)


# What a parameter is when its field has a factory, and nothing else was given.
_NOT_GIVEN: Final = object()


def _define(cls: Any, *, frozen: bool, order: bool) -> type:
    if cls.__doc__ is None:
        # Or the standard library inspects the signature to write one.
        cls.__doc__ = cls.__name__
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    key = _key_of(cls)
    cls.__init__, cls.__repr__ = _first_init(cls), _show
    cls.__eq__, cls.__hash__ = _comparison(key, operator.eq), _hash(key) if frozen else None
    for name in ("__lt__", "__le__", "__gt__", "__ge__") if order else ():
        setattr(cls, name, _comparison(key, getattr(operator, name)))
    if frozen:
        cls.__setstate__ = _restore
        cls.__setattr__ = cls.__delattr__ = _refuse_change
    return cls  # type: ignore[no-any-return]


def _key_of(cls: Any) -> Callable[[Any], Any]:
    """Return what reads that of a value by which it is compared."""
    names = [each.name for each in dataclasses.fields(cls) if each.compare]
    return operator.attrgetter(*names) if names else lambda value: ()


def _first_init(cls: Any) -> Callable[..., None]:
    """Return an ``__init__`` that replaces itself by one that knows the fields."""

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        cls.__init__ = _written_init(cls)
        cls.__init__(self, *arguments, **named)

    return init


def _written_init(cls: Any) -> Callable[..., None]:
    """Return an ``__init__`` that fills the slots of *cls*, one after the other.

    It is like that of the standard library, but for what says in which way: names of the fields
    alone, without their types, and slots that are filled by what describes them.
    """
    known: dict[str, Any] = {"_not_given": _NOT_GIVEN, "__name__": cls.__module__}
    parameters, lines = ["self"], []
    for each in dataclasses.fields(cls):
        known[f"_set_{each.name}"] = getattr(cls, each.name).__set__
        parameter, value = _told(each, known)
        if parameter:
            parameters.append(parameter)
        if value:
            lines.append(f"_set_{each.name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}): {'; '.join(lines) or 'pass'}", known)  # noqa: S102
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _told(field: dataclasses.Field[Any], known: dict[str, Any]) -> tuple[str, str]:
    """Return the parameter of a *field* and what its slot is filled with; either may be nothing.

    What these refer to becomes *known*.
    """
    name, default = field.name, f"_default_{field.name}"
    if field.default_factory is not dataclasses.MISSING:
        known[default] = field.default_factory
        if not field.init:
            return "", f"{default}()"
        return f"{name}=_not_given", f"{default}() if {name} is _not_given else {name}"
    if field.default is not dataclasses.MISSING:
        known[default] = field.default
        return (f"{name}={default}", name) if field.init else ("", default)
    return (name, name) if field.init else ("", "")


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
