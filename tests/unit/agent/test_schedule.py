# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which replicas a node refreshes now: on time, the most overdue first, never more than its slots."""

from __future__ import annotations

import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.schedule import (
    LONGEST_PAUSE,
    UNDER_WAY,
    Replica,
    all_replicas,
    choose,
    replicas,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.settings import Replicating
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found

NOW = 1_000_000.0
STEADY = Replicating(slots=2, jitter=0.0)


def replica(name="a", *, age=0.0, interval=60.0, failures=0, tried=0.0, refreshing=0.0):
    return Replica(name, interval, NOW - age if age is not None else 0.0, tried, failures, "", refreshing)


def chosen(*listed, running=(), busy=(), how=STEADY):
    return choose(listed, set(running), set(busy), NOW, how)


def test_due_once_the_interval_has_passed_since_the_last_one_began():
    assert chosen(replica(age=59.9)) == []
    assert chosen(replica(age=60.0)) == ["a"]


def test_jitter_makes_refreshes_earlier_by_no_more_than_its_share_and_differs_by_name():
    names = [f"pbx{number:03}" for number in range(200)]
    moments = [replica(name, interval=100.0).due(0.1, NOW) - NOW for name in names]
    assert all(90.0 <= moment <= 100.0 for moment in moments)
    assert max(moments) - min(moments) > 8, "they are spread over all of it"
    assert moments == [replica(name, interval=100.0).due(0.1, NOW) - NOW for name in names], "and always the same"


def test_the_most_overdue_in_its_own_interval_comes_first():
    late = [replica("hourly", age=3700, interval=3600), replica("often", age=40, interval=10), replica("b", age=61)]
    assert chosen(*late) == ["often", "hourly"]


def test_never_more_than_the_slots_and_never_one_twice():
    many = [replica(f"s{number}", age=100) for number in range(12)]
    assert len(chosen(*many)) == 2
    assert chosen(*many, running=["s0"]) == ["s1"]
    assert chosen(*many, running=["s0", "s1"]) == []
    assert chosen(*many, running=["x", "y", "z"]) == [], "more may run where the slots were made fewer"


def test_what_incus_is_busy_with_is_left_alone():
    assert chosen(replica("a", age=100), replica("b", age=100), busy=["a"]) == ["b"]


def test_a_failure_is_tried_again_later_and_later_but_never_later_than_its_interval():
    pauses = []
    for failures in range(1, 12):
        failed = replica(age=1e6, interval=86400.0, failures=failures, tried=NOW)
        pauses.append(failed.due(0.1, NOW) - NOW)
    assert pauses[:3] == [15.0, 30.0, 60.0]
    assert pauses[-1] == LONGEST_PAUSE
    assert replica(interval=10.0, failures=9, tried=NOW).due(0.1, NOW) - NOW == 10.0


def test_replicas_of_a_dead_node_do_not_hold_up_the_others():
    dead = [replica(f"dead{number}", age=9999, interval=10, failures=3, tried=NOW - 60) for number in range(9)]
    assert chosen(*dead, replica("well", age=61)) == ["dead0", "well"]
    assert chosen(*dead, replica("well", age=61), running=["dead1"]) == ["well"]
    assert chosen(*dead, how=Replicating(slots=1, jitter=0.0)) == ["dead0"], "with one slot they get it"


def test_what_failed_is_tried_again_also_where_everybody_else_is_late():
    late = [replica(f"late{number}", age=900) for number in range(9)]
    failed = replica("failed", age=990, failures=1, tried=NOW - 16)
    assert chosen(*late, failed) == ["failed", "late0"]
    assert chosen(*late, failed, running=["late1"]) == ["failed"]


def test_a_first_copy_somebody_makes_is_left_alone_for_a_while_then_gone_on_with():
    assert chosen(replica(age=None, refreshing=NOW - UNDER_WAY / 2)) == []
    assert chosen(replica(age=None, refreshing=NOW - UNDER_WAY)) == ["a"]


def test_only_replicas_that_have_an_interval_and_do_not_move_are_this_nodes_to_refresh():
    def guest(**marks):
        return Found({"config": {f"user.switchyard.{key}": value for key, value in marks.items()}}, "")

    plain = {"role": "replica", "replica.interval": "10", "replica.refreshed": "5.0"}
    found = {
        "plain": guest(**plain),
        "server": guest(**{**plain, "role": "primary"}),
        "moving": guest(**plain, move="from node2"),
        "strange": guest(role="replica"),
        "spoiled": guest(**{**plain, "replica.interval": "soon"}),
    }
    assert [(each.name, each.interval, each.refreshed) for each in replicas(found)] == [("plain", 10, 5.0)]
    # The check tells of those as well, but for what is no agent's: the copy that a move makes.
    assert {each.name for each in all_replicas(found)} == {"plain", "moving", "spoiled"}
    assert next(each.moving for each in all_replicas(found) if each.name == "moving") == "node2"


@pytest.mark.parametrize(
    "ahead",
    [replica(age=-86400), replica(age=90, failures=2, tried=NOW + 86400), replica(age=90, refreshing=NOW + 86400)],
    ids=["refreshed", "tried", "refreshing"],
)
def test_what_a_clock_that_was_ahead_wrote_holds_up_no_refresh(ahead):
    assert chosen(ahead) == ["a"]
    assert chosen(replica(age=-1.0)) == [], "a second is no clock gone wrong"


@pytest.mark.parametrize("seed", range(8))
def test_in_the_long_run_each_is_refreshed_on_time_where_the_slots_suffice(seed):
    """An hour of looks every five seconds, some replicas slow, some failing."""
    chance = random.Random(seed)
    how = Replicating(slots=chance.randint(1, 4), jitter=0.1)
    intervals = {f"s{number}": chance.choice([60.0, 300.0, 3600.0]) for number in range(chance.randint(1, 12))}
    last, now, ends = dict.fromkeys(intervals, NOW), NOW, {}
    worst = dict.fromkeys(intervals, 0.0)
    for _look in range(800):
        now += 5.0
        for name in [name for name, end in ends.items() if end <= now]:
            del ends[name]
        listed = [Replica(name, interval, last[name], 0.0, 0, "", 0.0) for name, interval in intervals.items()]
        for name in choose(listed, set(ends), set(), now, how):
            assert name not in ends
            worst[name] = max(worst[name], now - last[name])
            last[name], ends[name] = now, now + chance.uniform(0.3, 4.0)
        assert len(ends) <= how.slots
    for name, interval in intervals.items():
        assert worst[name] <= interval + 5.0 * (1 + len(intervals)), name
