# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks on can see what is wrong: two copies of a server, started on purpose."""

from __future__ import annotations

import time

import pytest
from support.copies import not_once
from support.guarded import GuardedFleet, until
from support.watch import Watch

pytestmark = [pytest.mark.lab, pytest.mark.long]


def stopped(fleet: GuardedFleet, server: str, node: str) -> bool:
    """Whether a copy is, told to. Incus refuses while it is busy with it, as it is when a refresh has just come by."""
    fleet.outside.console(node, "incus", "stop", "--force", server, check=False)
    return not any(each.running for each in fleet.copies() if (each.server, each.node) == (server, node))


@pytest.mark.parametrize("isolated", [False, True])
def test_two_copies_at_once_are_heard_even_behind_a_cut_cable(watch: Watch, isolated: bool) -> None:
    fleet = watch.fleet
    fleet.calm()
    began = time.time()
    replica = next(each for each in fleet.copies() if each.role == "replica")
    console = fleet.outside.console
    assert watch.prober.double_answers(began - 1) == []
    try:
        if isolated:
            # Too short for the cluster to notice.
            with fleet.outside.isolated(replica.node):
                console(replica.node, "incus", "start", replica.server)
                time.sleep(0.3)
                console(replica.node, "incus", "stop", "--force", replica.server)
        else:
            console(replica.node, "incus", "start", replica.server)
            time.sleep(0.3)
            assert any("2 times" in words for words in not_once(fleet.copies(), fleet.servers))
    finally:
        until(lambda: stopped(fleet, replica.server, replica.node), 60)
    twice = watch.prober.double_answers(began)
    assert {each.server for each in twice} == {replica.server}
    assert replica.node in twice[0].nodes
