"""Sealed secrets: they open in their own row, for their own host, with the right key alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.service.access.sealing import Place, rewrap, seal, unseal
from replicator.service.access.secret_key import SecretKeys, read_keys

OLD = "b2xkIGtleSBvZiB0aGUgdGVzdHMgb2Ygc2VhbGluZyEhISE="
NEW = "bmV3IGtleSBvZiB0aGUgdGVzdHMgb2Ygc2VhbGluZyEhISE="
PLACE = Place("credential", "harbor", "registry.example.com")


def keys(*texts: str) -> SecretKeys:
    return read_keys("\n".join(texts), "test")


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_what_is_sealed_comes_back(secret: bytes, row: str, host: str) -> None:
    place, of_test = Place("credential", row, host), keys(OLD)

    sealed = seal(secret, place, of_test.current)

    assert unseal(sealed, place, of_test.current.id, of_test) == secret
    assert secret not in sealed or len(secret) < 8


@pytest.mark.parametrize(
    "place",
    [
        Place("credential", "other", "registry.example.com"),
        Place("credential", "harbor", "evil.example"),
        Place("another", "harbor", "registry.example.com"),
    ],
)
def test_a_secret_opens_nowhere_else(place: Place) -> None:
    of_test = keys(OLD)
    sealed = seal(b"secret", PLACE, of_test.current)

    with pytest.raises(ConfigError, match="does not open"):
        unseal(sealed, place, of_test.current.id, of_test)


@given(st.data())
def test_no_changed_byte_goes_unseen(data: st.DataObject) -> None:
    of_test = keys(OLD)
    sealed = bytearray(seal(b"secret", PLACE, of_test.current))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(ConfigError, match="does not open"):
        unseal(bytes(sealed), PLACE, of_test.current.id, of_test)


@pytest.mark.parametrize("sealed", [b"", b"rs1:", b"secret", b"rs1:" + b"x" * 60])
def test_what_was_never_sealed_is_not_taken_for_a_secret(sealed: bytes) -> None:
    of_test = keys(OLD)

    with pytest.raises(ConfigError, match="does not open"):
        unseal(sealed, PLACE, of_test.current.id, of_test)


def test_another_key_opens_nothing_and_both_together_let_it_be_wrapped_anew() -> None:
    sealed = seal(b"secret", PLACE, keys(OLD).current)
    old_id = keys(OLD).current.id

    with pytest.raises(ConfigError, match="is not here"):
        unseal(sealed, PLACE, old_id, keys(NEW))
    wrapped = rewrap(sealed, PLACE, old_id, keys(NEW, OLD))

    assert unseal(wrapped, PLACE, keys(NEW).current.id, keys(NEW)) == b"secret"
    # The secret itself is as it was sealed; its data key alone is in another wrapping.
    assert wrapped[-20:] == sealed[-20:]


def test_no_key_is_printed() -> None:
    assert OLD not in repr(keys(OLD, NEW))
    assert OLD.encode() not in repr(keys(OLD, NEW)).encode()
