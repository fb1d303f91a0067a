"""Our values behave like the dataclasses of the standard library that they stand in for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.values import dataclass as our_dataclass

BOTH = pytest.mark.parametrize("dataclass", [our_dataclass, dataclasses.dataclass])


@our_dataclass(frozen=True, slots=True)
class Ours:
    name: str
    size: int = 0
    notes: list[str] = field(default_factory=list, compare=False)
    secret: str = field(default="", repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    name: str
    size: int = 0
    notes: list[str] = field(default_factory=list, compare=False)
    secret: str = field(default="", repr=False)


@our_dataclass(frozen=True, slots=True, order=True)
class OursInOrder:
    major: int
    minor: int


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class TheirsInOrder:
    major: int
    minor: int


ARGUMENTS = st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.lists(st.text(max_size=2)))
PAIRS = st.tuples(st.integers(0, 2), st.integers(0, 2))


@given(ARGUMENTS, ARGUMENTS)
def test_they_are_equal_hashed_and_shown_alike(one, other):
    assert (Ours(*one) == Ours(*other)) is (Theirs(*one) == Theirs(*other))
    assert hash(Ours(*one)) == hash(Theirs(*one))
    assert repr(Ours(*one)) == repr(Theirs(*one)).replace("Theirs", "Ours")


@given(PAIRS, PAIRS)
def test_they_are_ordered_alike(one, other):
    ours = OursInOrder(*one), OursInOrder(*other)
    theirs = TheirsInOrder(*one), TheirsInOrder(*other)

    assert (ours[0] < ours[1]) is (theirs[0] < theirs[1])
    assert (ours[0] <= ours[1]) is (theirs[0] <= theirs[1])
    assert (ours[0] > ours[1]) is (theirs[0] > theirs[1])
    assert (ours[0] >= ours[1]) is (theirs[0] >= theirs[1])


def test_they_equal_nothing_of_another_class():
    assert Ours("a") != Theirs("a")
    with pytest.raises(TypeError):
        assert OursInOrder(1, 2) < TheirsInOrder(1, 3)


@BOTH
def test_they_do_not_change(dataclass):
    @dataclass(frozen=True, slots=True)
    class Value:
        name: str

    value = Value("a")

    with pytest.raises(FrozenInstanceError):
        value.name = "b"
    with pytest.raises(FrozenInstanceError):
        del value.name
    assert value.name == "a"
    assert not hasattr(value, "__dict__")


@BOTH
def test_what_comes_after_the_fields_are_set_happens_each_time(dataclass):
    @dataclass(frozen=True, slots=True)
    class Value:
        name: str
        length: int = field(init=False, default=0)

        def __post_init__(self):
            object.__setattr__(self, "length", len(self.name))

    assert [Value("abc").length, Value(name="ab").length] == [3, 2]
    with pytest.raises(TypeError):
        Value("abc", 3)


@BOTH
def test_they_are_matched_taken_apart_and_replaced(dataclass):
    @dataclass(frozen=True, slots=True)
    class Value:
        name: str
        size: int = 7

    match Value("a"):
        case Value(name, size):
            assert (name, size) == ("a", 7)
    assert [each.name for each in dataclasses.fields(Value)] == ["name", "size"]
    assert dataclasses.asdict(dataclasses.replace(Value("a"), size=8)) == {"name": "a", "size": 8}


@BOTH
def test_a_wrong_argument_is_named(dataclass):
    @dataclass(frozen=True, slots=True)
    class Value:
        name: str

    with pytest.raises(TypeError, match="nmae"):
        Value(nmae="a")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        Value()


@BOTH
@pytest.mark.parametrize(
    ("arguments", "named"), [(("a", 1, 2), {}), (("a",), {"name": "b"}), ((), {"size": 1})]
)
def test_arguments_that_do_not_fit_are_refused_at_any_time(dataclass, arguments, named):
    @dataclass(frozen=True, slots=True)
    class Value:
        name: str
        size: int = 0

    for _ in range(20):
        with pytest.raises(TypeError):
            Value(*arguments, **named)
        assert Value("a", size=1).size == 1


@BOTH
def test_the_last_of_many_objects_is_made_like_the_first(dataclass):
    @dataclass(slots=True)
    class Value:
        name: str
        size: int = 7
        notes: list[str] = field(default_factory=list)
        length: int = field(init=False, default=0)

        def __post_init__(self):
            self.length = len(self.name)

    values = [Value(str(number), size=number % 2) for number in range(20)]

    assert [value.name for value in values] == [str(number) for number in range(20)]
    assert [value.length for value in values] == [1] * 10 + [2] * 10
    assert {value.size for value in values} == {0, 1}
    assert len({id(value.notes) for value in values}) == 20
    assert {Value("a").size for _ in range(20)} == {7}


def test_what_is_no_field_is_refused():
    with pytest.raises(TypeError, match="'kind' is no field"):

        @our_dataclass(frozen=True, slots=True)
        class Value:
            kind: ClassVar[str] = "value"


@pytest.mark.parametrize("value", [Ours("a", 3, ["x"], "s"), OursInOrder(1, 2)])
def test_they_can_be_copied_and_pickled(value):
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value  # noqa: S301


def test_no_two_empty_values_differ():
    @our_dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(())


@BOTH
def test_a_factory_makes_what_is_not_given_for_each_object(dataclass):
    @dataclass(frozen=True, slots=True)
    class Value:
        names: list[str] | None = field(default_factory=list)
        found: dict[str, int] = field(init=False, default_factory=dict)
        later: int = field(init=False)

    one, other = Value(), Value()

    assert (one.names, one.found) == ([], {})
    assert one.names is not other.names
    assert one.found is not other.found
    assert Value(None).names is None
    assert not hasattr(one, "later")


@BOTH
def test_those_that_are_not_frozen_change_and_have_no_hash(dataclass):
    @dataclass(slots=True)
    class Counter:
        name: str
        counts: list[int] = field(default_factory=list)

    counter, twin = Counter("a"), Counter("a")
    assert counter == twin
    counter.name = "b"
    counter.counts.append(1)

    assert counter != twin
    assert repr(counter).endswith("Counter(name='b', counts=[1])")
    assert copy.deepcopy(counter) == counter
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)
    with pytest.raises(AttributeError):
        counter.other = 1


@our_dataclass(frozen=True, slots=True)
class OursLonger(Ours):
    length: int = 3


@dataclasses.dataclass(frozen=True, slots=True)
class TheirsLonger(Theirs):
    length: int = 3


def test_one_that_extends_another_takes_its_fields_first():
    ours, theirs = OursLonger("a", 1, length=5), TheirsLonger("a", 1, length=5)

    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert dataclasses.astuple(ours) == dataclasses.astuple(theirs)
    assert Ours("a") == Ours("a") != ours
