# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node remembers of its servers from look to look, and what it does."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.agent import health
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.health import Health, Look
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.settings import Guarding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GUARDING = Guarding(restarts=3, window=600, share=0.5, misses=2, hold_down=300)
GOOD, SILENT = Look(), Look(silent="connection refused")
STOPPED, FROZEN = Look("stopped"), Look("frozen")
HEARD = Health(0, heard=True)


def after(looks, health_=HEARD, start=1000.0, every=5.0, patience=30.0):
    """Times at which a server was restarted, and what is remembered at the end."""
    now, restarts = start, []
    for look in looks:
        health_, act = health.looked(health_, look, now, GUARDING)
        if act:
            restarts.append(now)
            health_ = health.restarted(health_, now, patience)
        now += every
    return restarts, health_


def test_a_server_that_stands_is_restarted_at_once():
    assert after([STOPPED])[0] == [1000]


def test_a_service_may_be_silent_once():
    assert after([SILENT, GOOD, SILENT, GOOD])[0] == []
    assert after([GOOD, SILENT, SILENT])[0] == [1010]


def test_a_frozen_server_is_looked_at_twice_as_a_snapshot_freezes_it_too():
    assert after([FROZEN, GOOD])[0] == []
    assert after([FROZEN, FROZEN])[0] == [1005]


def test_a_service_that_was_never_heard_here_is_named_and_left_alone():
    restarts, remembered = after([SILENT] * 20, Health(1000))
    assert restarts == []
    assert "connection refused" in remembered.why
    assert health.failed({"a": remembered}, 2000, GUARDING) == ()


def test_after_a_restart_it_is_given_time_to_answer():
    restarts, _remembered = after([SILENT] * 8, patience=30)
    assert restarts == [1005]
    # Patience ends at 1035, and then two looks in a row.
    assert after([SILENT] * 9, patience=30)[0] == [1005, 1040]


def test_restarts_are_limited_within_a_window_and_forgotten_after_it():
    restarts, remembered = after([STOPPED] * 60)
    assert restarts == [1000, 1005, 1010]
    assert health.failed({"a": remembered}, 1300, GUARDING) == ("a",)
    assert len(after([STOPPED] * 125)[0]) == 6


def test_one_that_serves_again_has_not_failed():
    _restarts, remembered = after([STOPPED] * 60 + [GOOD])
    assert health.failed({"a": remembered}, 1305, GUARDING) == ()


def worn(came=0.0):
    _restarts, remembered = after([STOPPED] * 20, Health(came, heard=True))
    return remembered


def test_a_lone_sick_server_does_not_take_the_others_along():
    healths = {"sick": worn()} | {f"well{number}": HEARD for number in range(2)}
    assert health.failed(healths, 1100, GUARDING) == ("sick",)
    assert not health.given_up(healths, 1100, GUARDING)
    assert not health.given_up({"sick": worn(), "well": HEARD}, 1100, GUARDING)
    assert health.given_up({"sick": worn()}, 1100, GUARDING), "there are no others"


def test_the_node_is_given_up_when_its_share_has_failed():
    both = {"a": worn(), "b": worn()}
    assert health.given_up({**both, "c": HEARD, "d": HEARD}, 1100, GUARDING)
    assert not health.given_up({**both, "c": HEARD, "d": HEARD, "e": HEARD}, 1100, GUARDING)
    assert not health.given_up({}, 1100, GUARDING)


def test_not_for_the_sake_of_servers_that_have_only_just_come():
    assert not health.given_up({"a": worn(came=900)}, 1100, GUARDING)
    assert health.given_up({"a": worn(came=900)}, 1200, GUARDING)


def test_calm_is_what_needs_no_remembering():
    assert health.calm([HEARD, HEARD])
    assert health.calm([])
    assert not health.calm([HEARD, Health(0)])
    assert not health.calm([replace(HEARD, misses=1)])


@UNHURRIED
@given(st.lists(st.sampled_from([GOOD, SILENT, STOPPED, FROZEN]), max_size=150), st.booleans())
def test_never_more_restarts_than_allowed_in_any_window(looks, heard):
    restarts, _remembered = after(looks, Health(0, heard=heard))
    for first in restarts:
        assert sum(first <= each < first + GUARDING.window for each in restarts) <= GUARDING.restarts
