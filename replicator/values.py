"""Values: dataclasses with slots that cost next to nothing to define.

The standard library writes, compiles and runs the source of six methods for each such class, which
takes 0.45 ms. A command loads over a hundred of them and makes objects of half, mostly one or two:
that was an eighth of its start. Here the methods are shared, and only ``__init__`` is compiled,
for a class of which there are more than a few objects. All else is as it was, and the type checker
sees the standard library's decorator. Most of our classes are frozen; those that are not get the
same, and can be changed.
"""

from __future__ import annotations

import dataclasses
import inspect
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

# To compile what makes objects of a class takes as long as to make thirty without it.
_FEW: Final = 8


def _define(cls: Any, *, frozen: bool, order: bool) -> type:
    fields = _fields_of(cls)
    key = _key_of(fields)
    body = dict(cls.__dict__)
    for name in ("__dict__", "__weakref__", *fields):
        body.pop(name, None)
    inherited = getattr(cls, "__dataclass_fields__", {})
    body |= {
        "__slots__": tuple(name for name in fields if name not in inherited),
        "__dataclass_fields__": fields,
        "__match_args__": tuple(name for name, each in fields.items() if each.init),
        "__repr__": _show,
        "__eq__": _comparison(key, operator.eq),
        "__hash__": _hash(key) if frozen else None,
    }
    for name in ("__lt__", "__le__", "__gt__", "__ge__") if order else ():
        body[name] = _comparison(key, getattr(operator, name))
    if frozen:
        body["__setstate__"] = _restore
        body["__setattr__"] = body["__delattr__"] = _refuse_change
    defined = type(cls)(cls.__name__, cls.__bases__, body)
    defined.__qualname__ = cls.__qualname__
    defined.__init__ = _first_init(defined)
    return defined  # type: ignore[no-any-return]


def _fields_of(cls: Any) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of *cls* by name, those of what it extends first."""
    fields = dict(getattr(cls, "__dataclass_fields__", {}))
    for name, kind in inspect.get_annotations(cls).items():
        if kind.startswith(("ClassVar", "InitVar", "KW_ONLY")):
            raise TypeError(f"{name!r} is no field; the standard library's decorator knows those")
        each = cls.__dict__.get(name, dataclasses.MISSING)
        if not isinstance(each, dataclasses.Field):
            each = dataclasses.field(default=each)
        # What the standard library's functions for such classes look at.
        each.name, each.type, each.kw_only = name, kind, False
        each._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
        fields[name] = each
    return fields


def _key_of(fields: dict[str, dataclasses.Field[Any]]) -> Callable[[Any], Any]:
    """Return what reads that of a value by which it is compared."""
    names = [name for name, each in fields.items() if each.compare]
    return operator.attrgetter(*names) if names else lambda value: ()


def _first_init(cls: Any) -> Callable[..., None]:
    """Return an ``__init__`` for the first few objects, which then has one compiled.

    That is also the one to refuse arguments, in the words of the interpreter.
    """
    made = 0

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        nonlocal made
        made += 1
        if made > _FEW or not _fill(self, arguments, named):
            cls.__init__ = _written_init(cls)
            cls.__init__(self, *arguments, **named)
        elif hasattr(cls, "__post_init__"):
            self.__post_init__()

    return init


def _fill(self: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Fill the slots of *self*; return whether the arguments are those that its class takes."""
    given = dict(zip(self.__match_args__, arguments, strict=False)) | named
    if len(given) < len(arguments) + len(named) or not given.keys() <= set(self.__match_args__):
        return False
    for name, each in self.__dataclass_fields__.items():
        if name in given:
            object.__setattr__(self, name, given[name])
        elif each.default_factory is not dataclasses.MISSING:
            object.__setattr__(self, name, each.default_factory())
        elif each.default is not dataclasses.MISSING:
            object.__setattr__(self, name, each.default)
        elif each.init:
            return False
    return True


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
