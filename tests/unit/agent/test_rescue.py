# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a replica whose last refresh from a home that let go did not come to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.judgement import Verdict
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.rescue import Rescue
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.work import Work
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found

HOME_LIVES, HOME_IS_DEAD = Verdict(refreshed_from="n1"), Verdict()


def replica(**marks: str) -> Found:
    config = {"role": "replica", "replica.refreshed": "5.0", **marks}
    config = {f"user.switchyard.{key.replace('_', '.')}": text for key, text in config.items()}
    return Found({"config": config, "last_used_at": "2026-01-01T00:00:00Z"}, "")


def usable(verdict: Verdict, now: Found, *, fresh: bool = False) -> tuple[bool, dict[str, str]]:
    """Whether a replica is promoted that is as ``now`` after its refresh, and what is told of it."""
    told: dict[str, str] = {}
    guests = SimpleNamespace(need=lambda _name, _attempt: now)
    work: Any = SimpleNamespace(guests=guests, pair=Pair("n1", "n2"), insist=lambda ask: ask(), tell=told.__setitem__)
    return Rescue(cast(Work, work))._usable("pbx", replica(), verdict, fresh), told


def test_one_of_which_only_a_part_came_is_not_promoted_while_its_home_has_all_of_it():
    wanted, told = usable(HOME_LIVES, replica(replica_refreshing="9.0"))
    assert not wanted and "n1 has all of it" in told["pbx"]


@pytest.mark.parametrize(
    ("verdict", "now", "fresh"),
    [
        (HOME_LIVES, replica(), True),
        (HOME_LIVES, replica(), False),
        (HOME_IS_DEAD, replica(replica_refreshing="9.0"), False),
    ],
    ids=["brought up to date", "its refresh never began", "nobody has more"],
)
def test_any_other_complete_replica_is(verdict, now, fresh):
    assert usable(verdict, now, fresh=fresh) == (True, {})
