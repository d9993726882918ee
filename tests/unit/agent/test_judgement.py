# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copy of a server is the server, from all that a node can learn of the others."""

from __future__ import annotations

import json

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.judgement import Scene, rescue, stay
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.record import Claim
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.survivors import Elsewhere
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ADDRESS = "192.0.2.7"
HERE, HOME, THIRD = "here", "home", "third"


def copy(role="replica", generation=1, status="Stopped", refreshed="5.0", move="", **guarded):
    """A copy of the server as its node tells of it."""
    told = {"mode": "auto", "action": "relocate", "addresses": [ADDRESS], **guarded}
    config = {
        "user.switchyard.role": role,
        "user.switchyard.generation": str(generation),
        "user.switchyard.replica.refreshed": refreshed if role == "replica" else "",
        "user.switchyard.move": move,
        "user.switchyard.failover": json.dumps(told),
    }
    return Found({"config": config, "status": status, "last_used_at": "2026-01-01T00:00:00Z"}, "")


def scene(copies=None, record=None, *, silent=(), answering=(), also=(), complete=False):
    """``copies``: node -> copy; nodes that have one answered, and those of ``also``; ``complete``: all there are."""
    there = {"pbx": copies} if copies else {}
    answered = frozenset(copies or ()) | frozenset(also)
    claims = {"pbx": Claim(*record)} if record else {}
    return Scene(
        HERE, Elsewhere(there, answered, frozenset(silent), complete), claims, dict.fromkeys(answering, "answers ping")
    )


def saved(mine=None, **known):
    return rescue("pbx", mine or copy(), HOME, scene(**known))


def kept(mine, **known):
    return stay("pbx", mine, scene(**known))


# ---------------------------------------------------------------- the backup


def test_the_home_is_dead_and_nobody_else_has_it():
    verdict = saved()
    assert (verdict.why_not, verdict.generation, verdict.refreshed_from) == ("", 1000, "")


def test_its_generation_outdoes_every_other():
    assert saved(copy(generation=7)).generation == 1000
    assert saved(copy(generation=1000)).generation == 2000
    assert saved(copies={THIRD: copy(generation=1)}, record=(HERE, 3000)).generation == 3000
    assert saved(copy(generation=1000), record=(HOME, 1000)).generation == 2000


@pytest.mark.parametrize(
    ("mine", "known", "words"),
    [
        (copy(mode="manual"), {}, "manual"),
        (copy(mode="off"), {}, "off"),
        (copy(action="none"), {}, "none"),
        (copy(move="from home"), {}, "ended by the site playbook"),
        (copy(refreshed=""), {}, "never complete"),
        (copy(), {"copies": {THIRD: copy("primary", 1)}}, "third has the server itself"),
        (copy(), {"copies": {THIRD: copy("primary", 2)}}, "third has a newer copy"),
        (copy(), {"copies": {THIRD: copy("replica", 2)}}, "third has a newer copy"),
        (copy(generation=5), {"copies": {THIRD: copy("primary", 2, "Running")}}, "third is running"),
        (copy(), {"copies": {HOME: copy("primary", 1, "Running")}}, "home is running"),
        (copy(), {"copies": {HOME: copy("primary", 1, move="to third running")}}, "takes part in a move"),
        (copy(), {"record": (THIRD, 1000)}, "newer copy of it was promoted on third"),
        (copy(), {"record": (HOME, 1000)}, "newer copy of it was promoted on home"),
        (copy(), {"silent": [THIRD], "answering": [ADDRESS]}, "third does not tell"),
    ],
)
def test_what_is_not_started(mine, known, words):
    assert words in saved(mine, **known).why_not


def test_a_silent_node_alone_stops_nobody():
    assert saved(silent=[THIRD]).generation == 1000


def test_a_home_that_let_go_is_asked_for_the_last_changes():
    verdict = saved(copies={HOME: copy("primary", 1)})
    assert (verdict.why_not, verdict.refreshed_from) == ("", HOME)
    # Even the first copy may come from there.
    assert saved(copy(refreshed=""), copies={HOME: copy("primary", 1)}).refreshed_from == HOME
    # And where it was promoted since, which the replica was not told yet.
    verdict = saved(copies={HOME: copy("primary", 1000)}, record=(HOME, 1000))
    assert (verdict.why_not, verdict.refreshed_from, verdict.generation) == ("", HOME, 2000)


def test_a_replica_whose_return_to_its_last_state_was_cut_off_is_complete():
    """It bears what its server bore: no mark of a replica, and its own node among those that have one."""
    server = copy("primary", 1)
    mine = Found({**server.raw, "config": {**server.config, "user.switchyard.replicas": HERE}}, "", HERE)
    assert mine.replica
    assert saved(mine).generation == 1000


def test_an_older_server_on_the_home_has_nothing_to_give():
    verdict = saved(copy(generation=1000), copies={HOME: copy("primary", 1)})
    assert (verdict.why_not, verdict.refreshed_from, verdict.generation) == ("", "", 2000)


def test_a_record_that_never_came_true_hinders_nobody():
    assert saved(copies={THIRD: copy("replica", 1)}, record=(THIRD, 1000)).generation == 2000


def test_a_server_that_went_on_from_where_it_was_promoted_is_not_taken_for_one_that_never_was():
    """A -> B by the cluster, B -> C by a move; C is dead, and B has no copy, or a replica, that tells of it."""
    for judged in (saved, kept):
        mine = copy("replica" if judged is saved else "primary", 1)
        assert "promoted on third" in judged(mine, also=[THIRD], record=(THIRD, 1000)).why_not
        assert judged(mine, copies={THIRD: copy("replica", 1001)}, record=(THIRD, 1000)).why_not


def test_a_server_that_is_no_more_on_any_node_hinders_nobody_who_bears_its_name():
    assert kept(copy("primary", 1), also=[THIRD, HOME], complete=True, record=(THIRD, 1000)).generation == 2000
    assert kept(copy("primary", 1), also=[THIRD, HOME], complete=True, record=("gone", 1000)).generation == 2000
    assert kept(copy("primary", 1), also=[THIRD, HOME], record=(THIRD, 1000)).why_not


def test_a_replica_that_was_not_refreshed_since_its_server_moved_is_as_good_as_any():
    assert saved(copy(generation=1000), record=(HOME, 1001)).generation == 2000
    assert saved(copy(generation=1000), record=(THIRD, 1001)).why_not, "it is not the one that died"
    assert saved(copy(generation=1), record=(HOME, 1001)).why_not, "promoted since"


def test_a_start_that_was_cut_off_after_the_record_goes_on():
    assert saved(record=(HERE, 1000)).generation == 1000


# ---------------------------------------------------------------- the home


def test_a_server_nobody_promoted_elsewhere_starts():
    assert kept(copy("primary", 3), copies={THIRD: copy("replica", 3)}, record=(HERE, 3)) == kept(copy("primary", 3))
    assert kept(copy("primary", 3)).generation == 0


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"record": (THIRD, 1000)}, "promoted on third"),
        ({"copies": {THIRD: copy("primary", 1000)}}, "third has a newer copy"),
        ({"copies": {THIRD: copy("replica", 1000)}}, "third has a newer copy"),
        ({"copies": {THIRD: copy("replica", 1, "Running")}}, "third is running"),
        ({"silent": [THIRD], "answering": [ADDRESS]}, "third does not tell"),
    ],
)
def test_a_server_that_was_outdone_stays_down(known, words):
    assert words in kept(copy("primary", 3), **known).why_not


def test_the_home_outdoes_a_promotion_that_was_recorded_and_never_came_true():
    verdict = kept(copy("primary", 3), copies={THIRD: copy("replica", 3)}, record=(THIRD, 1000))
    assert (verdict.why_not, verdict.generation) == ("", 2000)
    # Cut off after it recorded that, it goes on with the same.
    assert kept(copy("primary", 3), record=(HERE, 2000)).generation == 2000


# ---------------------------------------------------------------- whatever is known

COPIES = st.builds(
    copy,
    role=st.sampled_from(["primary", "replica"]),
    generation=st.sampled_from([1, 2, 1000, 2000]),
    status=st.sampled_from(["Stopped", "Running", "Frozen"]),
    refreshed=st.sampled_from(["", "5.0"]),
    move=st.sampled_from(["", "from home"]),
)
CLAIMS = st.none() | st.tuples(st.sampled_from([HERE, HOME, THIRD]), st.sampled_from([1, 2, 1000, 2000]))


@UNHURRIED
@given(COPIES, st.dictionaries(st.sampled_from([HOME, THIRD]), COPIES), CLAIMS)
def test_nothing_starts_beside_a_copy_that_runs_and_a_promotion_outdoes_all(mine, copies, record):
    for verdict in (saved(mine, copies=copies, record=record), kept(mine, copies=copies, record=record)):
        if verdict.why_not:
            continue
        assert all(each.stopped for each in copies.values())
        reached = verdict.generation or mine.generation
        assert all(each.generation <= reached for each in copies.values())
        if record and record[0] not in (HERE, *copies):
            assert record[1] // 1000 <= mine.generation // 1000 or record[1] <= max(
                (each.generation for each in copies.values()), default=0
            )
            assert reached > record[1] or (not verdict.generation and record[1] <= mine.generation)


@UNHURRIED
@given(COPIES, COPIES)
def test_of_two_copies_that_meet_at_most_one_starts(mine, theirs):
    """Each node asked with the other's copy in sight: the pair's home and its backup."""
    here = stay("pbx", mine, Scene(HERE, Elsewhere({"pbx": {HOME: theirs}}, frozenset({HOME}))))
    there = stay("pbx", theirs, Scene(HOME, Elsewhere({"pbx": {HERE: mine}}, frozenset({HERE}))))
    both_primary = not mine.replica and not theirs.replica
    if both_primary:
        assert here.why_not or there.why_not
