# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that wait for the fleet's lock."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import LockRecord, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet
from ansible_collections.switchyard.fleet.plugins.module_utils.lock import FleetHeld, new_record
from ansible_collections.switchyard.fleet.plugins.plugin_utils.patience import held_in_turn


class Platform:
    """A lock that somebody else holds for as many tries."""

    def __init__(self, tries: int, error: Exception | None = None) -> None:
        self.fleet = Fleet("test", "incus", {}, {})
        self.tries, self.error = tries, error
        self.other = replace(new_record("apply"), holder="anna@desk", pid=os.getpid())
        self.held: list[str] = []

    def take_lock(self, record: LockRecord) -> LockRecord | None:
        if self.tries:
            self.tries -= 1
            if self.error:
                raise self.error
            return self.other
        self.held.append(record.token)
        return None

    def renew_lock(self, _record: LockRecord) -> bool:
        return True

    def release_lock(self, token: str) -> None:
        self.held.remove(token)


def wait(
    platform: Any, stop: threading.Event | None = None, seconds: float = 60.0, said: list[str] | None = None
) -> bool:
    say = (said if said is not None else []).append
    with held_in_turn(platform, "test", stop or threading.Event(), say, break_token="", seconds=seconds):
        return bool(platform.held)


def test_a_free_lock_is_taken_and_given_back():
    platform = Platform(0)
    assert wait(platform)
    assert platform.held == []


def test_a_lock_that_is_held_is_waited_for_and_said_once():
    said: list[str] = []
    assert wait(Platform(3), said=said)
    assert said == [f"waiting for anna@desk (process {os.getpid()}, apply)"]


def test_after_the_time_given_the_holder_is_told():
    with pytest.raises(FleetHeld, match="anna@desk"):
        wait(Platform(10**6), seconds=0.0)


def test_a_holder_that_lets_go_while_it_is_looked_at_is_no_error():
    refusal = Refused("node1", "take the fleet's lock", "profile already exists")
    assert wait(Platform(2, refusal))


def test_another_refusal_is_one():
    with pytest.raises(Refused, match="forbidden"):
        wait(Platform(1, Refused("node1", "write", "forbidden")))


def test_whoever_is_told_to_stop_does_not_wait():
    stop = threading.Event()
    stop.set()
    with pytest.raises(AnsibleActionFail, match="nothing was changed"):
        wait(Platform(10**6), stop=stop)


def test_the_lock_is_given_back_when_the_block_fails():
    platform = Platform(0)
    with (
        pytest.raises(ZeroDivisionError),
        held_in_turn(platform, "test", threading.Event(), print, break_token="", seconds=0.0),
    ):
        raise ZeroDivisionError
    assert platform.held == []
