"""What clouds give, for how long, and what becomes of libraries that do not answer."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from replicator.errors import ConfigError, RegistryUnavailable, ReplicatorError
from replicator.registry.cloud.keychain import CloudKeychain
from replicator.registry.cloud.loan import Loan
from replicator.registry.cloud.waiting import in_thread
from replicator.registry.settings import Cloud, Credentials
from tests.registry.clients import Patience

HOST = "registry.example.com"


async def test_a_result_and_an_error_come_back_from_the_thread():
    def fail():
        raise ConfigError("no such thing")

    assert await in_thread(lambda: threading.current_thread().name, seconds=10) == "cloud login"
    with pytest.raises(ConfigError, match="no such thing"):
        await in_thread(fail, seconds=10)


async def test_a_library_that_hangs_is_given_up():
    hanging, began = threading.Event(), time.monotonic()

    with pytest.raises(TimeoutError):
        await in_thread(hanging.wait, seconds=0.05)

    assert time.monotonic() - began < 5
    hanging.set()


@dataclass
class Bank:
    """Lends what the test says, or fails."""

    clock: Patience
    life: float = 3600
    failure: ReplicatorError | None = None
    asked: int = 0
    lent: list[str] = field(default_factory=list)

    def borrow(self) -> Loan:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        self.lent.append(f"token-{len(self.lent)}")
        return Loan(Credentials("user", self.lent[-1]), self.clock.seconds + self.life)


@pytest.fixture
def bank():
    return Bank(Patience())


@pytest.fixture
def keychain(bank):
    return CloudKeychain({HOST: Cloud.GCP}, lender=lambda *_: bank, clock=bank.clock.clock)


async def test_what_was_lent_stays_in_use_while_there_is_no_more_and_no_longer(bank, keychain):
    first = await keychain.credentials_for(HOST)
    bank.failure = RegistryUnavailable("the cloud has a bad moment")

    await bank.clock.sleep(3000)
    assert await keychain.credentials_for(HOST) == first

    await bank.clock.sleep(601)
    with pytest.raises(RegistryUnavailable):
        await keychain.credentials_for(HOST)


async def test_who_refused_is_asked_again_after_a_moment(bank, keychain):
    bank.failure = ConfigError("no login")
    for _ in range(5):
        with pytest.raises(ConfigError):
            await keychain.credentials_for(HOST)
    assert bank.asked == 1

    bank.failure = None
    await bank.clock.sleep(16)

    assert await keychain.credentials_for(HOST) == Credentials("user", "token-0")


async def test_other_registries_have_nothing_of_the_clouds(bank, keychain):
    assert await keychain.credentials_for("other.example.com") is None
    assert bank.asked == 0
