"""Which repositories are asked to share a blob, and which have shown that it is no use."""

from __future__ import annotations

from replicator.oci.reference import RepositoryName
from replicator.transfer.mounts import Mounts

DESTINATION = RepositoryName("registry.test", "mirror/app")


def test_refusals_with_mounts_between_them_do_not_add_up():
    mounts = Mounts()

    for _ in range(3):
        mounts.refused(DESTINATION, "team/app")
        mounts.granted(DESTINATION, "team/app")

    assert mounts.candidate(DESTINATION, {"team/app"}) == "team/app"
    assert mounts.worth_waiting(DESTINATION)


def test_three_refusals_in_a_row_are_enough_between_two_repositories():
    mounts = Mounts()

    for _ in range(3):
        mounts.refused(DESTINATION, "team/app")

    assert mounts.candidate(DESTINATION, {"team/app", "team/base"}) == "team/base"
    assert not mounts.worth_waiting(DESTINATION)
