"""Databases that go away, processes that stand still, clocks that jump, a rule that kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.cluster import wait_until
from tests.chaos.stage import cut_connections
from tests.support.builders import push_image
from tests.support.command import environment
from tests.support.plain_repository import PlainRepository

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_a_database_that_is_away_in_the_middle_loses_nothing(open_stage, own_postgres, how):
    with open_stage(f"database-{how.name.lower()}") as stage:
        for _ in range(3):
            stage.content.push_round()
            stage.wait_for_item()
            own_postgres.stop(how)
            time.sleep(1)  # how long it is away
            own_postgres.start_again()
            findings = stage.come_right("after the database was away")
        alive = [member.process.ended for member in stage.cluster.members]

    assert findings.errors == []
    assert alive == [False] * 5
    assert stage.cluster.gone == []


def test_connections_that_are_cut_lose_nothing(open_stage, own_postgres):
    with open_stage("cut") as stage:
        for _ in range(10):
            stage.content.push_round()
            stage.wait_for_item()
            cut_connections(stage.cluster.database)
        findings = stage.come_right("after connections were cut")

    assert findings.errors == []
    assert stage.cluster.gone == []


def test_a_worker_that_stands_still_past_its_lease_moves_no_tag_afterwards(open_stage):
    with open_stage("paused") as stage:
        for _ in range(2):
            stage.content.push_round()
            stage.cluster.arm("before_tag_put", signal.SIGSTOP)
            wait_until(lambda: stage.cluster.caught("before_tag_put"), "a worker stands still")
            (pid,) = stage.cluster.caught("before_tag_put")
            (paused,) = [member for member in stage.cluster.members if member.pid == pid]
            lost = items_lost(paused)
            stage.content.push_round()
            findings = stage.come_right("while a worker stands still")
            os.kill(pid, signal.SIGCONT)
            wait_until(
                lambda paused=paused, lost=lost: items_lost(paused) > lost,
                "it sees that it is late",
            )
            (stage.cluster.traps / f"before_tag_put.{pid}").unlink()

    assert findings.errors == []
    assert stage.cluster.gone == []


def test_a_scheduler_that_stands_still_leaves_due_times_to_the_other(open_stage):
    with open_stage("scheduler") as stage:
        for place in ("after_fire", "after_fire"):
            stage.cluster.arm(place, signal.SIGSTOP)
            wait_until(lambda: stage.cluster.caught("after_fire"), "a scheduler stands still")
            (pid,) = stage.cluster.caught("after_fire")
            stage.content.push_round()
            findings = stage.come_right("while a scheduler stands still")
            os.kill(pid, signal.SIGCONT)
            (stage.cluster.traps / f"after_fire.{pid}").unlink()

    assert findings.errors == []


def test_a_rule_that_kills_its_worker_is_given_up_and_stops_no_other(
    open_stage, distribution2, distribution3
):
    with PlainRepository(distribution2.address, "poisoned/app") as repository:
        push_image(repository, "1.0", seed="poison")
    rule = f"""
[[rules]]
name = "poison"
source = "{distribution2.host}/poisoned/app"
destinations = ["{distribution3.host}/mirror/{{repository}}"]
"""
    with open_stage("poison", more_rules=rule, arms={"poison": "poison"}) as stage:
        ask_for_run(stage.cluster, "poison")
        wait_until(lambda: stage.ended_runs("poison"), "the poisonous run ends")
        stage.content.push_round()
        findings = stage.come_right("after a poisonous run")
        states, others = stage.ended_runs("poison"), stage.ended_runs("wide")

    assert states == ["failed"]
    assert len(stage.cluster.gone) == 3
    assert set(others) == {"succeeded"}
    assert findings.errors == []


@pytest.mark.parametrize("hours", [1, -1], ids=["on", "back"])
def test_clocks_of_services_that_jump_move_no_due_time(open_stage, hours):
    with open_stage(f"clocks-{hours}", own_clocks=True) as stage:
        for member in stage.cluster.members:
            stage.cluster.set_clock(member, hours * 3600)
        for _ in range(2):
            stage.content.push_round()
            findings = stage.come_right("after the clocks of all services jumped")
        wrong = wrong_times(stage.cluster.members)

    assert wrong
    assert findings.errors == findings.late == []
    assert stage.cluster.gone == []


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "of-two"])
def test_a_scheduler_whose_clock_jumps_to_and_fro_decides_each_due_time_once(open_stage, others):
    """Alone it has to be on time; beside another it must not decide what that one did."""
    roles = ["scheduler"] * (1 + others) + ["worker"]
    with open_stage(f"clock-of-{1 + others}", own_clocks=True, roles=roles) as stage:
        for hours in (1, 0, -1, 0):
            stage.cluster.set_clock(stage.cluster.members[0], hours * 3600)
            stage.content.push_round()
            findings = stage.come_right(f"with a scheduler {hours} hours ahead")
        wrong = wrong_times(stage.cluster.members[:1])

    # Which of two decides is chance.
    assert wrong or others
    assert findings.errors == findings.late == []
    assert stage.cluster.gone == []


def items_lost(member):
    """Count the items of which a process saw that it must not go on with them."""
    # The latter where its connection was gone as well, when it wanted to give the item back.
    said = ("item lost", "item left to its lease")
    return sum(len(member.entries(event)) for event in said)


def wrong_times(members):
    """Return the times of log lines that are far from now: those clocks were really set."""
    entries = [entry for each in members for entry in each.entries("rule is due")]
    now, far = datetime.now(UTC), timedelta(minutes=50)
    times = [datetime.fromisoformat(entry["time"]) for entry in entries]
    return [time for time in times if abs(now - time) > far]


def ask_for_run(cluster, rule):
    variables = environment(cluster.folder, {"REPLICATOR_DATABASE": cluster.database})
    command = [sys.executable, "-m", "replicator", "run", rule, "--detach"]
    subprocess.run(command, check=True, cwd=cluster.folder, env=variables, capture_output=True)
