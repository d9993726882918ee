# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may hold the fleet, who is taken to be gone, and what a holder does that lost it."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Limits
from ansible_collections.switchyard.fleet.plugins.module_utils.lock import FleetHeld, held, is_gone, new_record


class Board:
    """The one place a lock can hang, as an engine shows it. The engines' own locks are tried by the contract suite."""

    def __init__(self, record=None, ttl=60.0):
        self.fleet = SimpleNamespace(name="test", limits=Limits(lock_ttl=ttl, connect=1.0))
        self.record = record
        self.renewed = threading.Event()

    def take_lock(self, record):
        if self.record is None:
            self.record = record
            return None
        return self.record

    def renew_lock(self, record):
        self.renewed.set()
        return self.record is not None and self.record.token == record.token

    def release_lock(self, token):
        if self.record is not None and self.record.token == token:
            self.record = None


def said_nothing(text):
    raise AssertionError(text)


def from_elsewhere(**facts):
    return replace(new_record("apply converge"), machine="another", holder="alice@ws1", **facts)


def test_a_free_fleet_is_held_for_the_block_and_let_go_after_it():
    board = Board()
    with held(board, "apply", said_nothing, said_nothing):
        assert board.record.pid == os.getpid()
    assert board.record is None


def test_the_lock_is_let_go_when_the_block_fails():
    board = Board()
    with pytest.raises(ZeroDivisionError), held(board, "apply", said_nothing, said_nothing):
        raise ZeroDivisionError
    assert board.record is None


def test_a_held_fleet_says_who_since_when_and_how_to_break_it():
    other = from_elsewhere()
    with pytest.raises(FleetHeld) as refusal, held(Board(other), "apply", said_nothing, said_nothing):
        pass
    words = str(refusal.value)
    assert "alice@ws1" in words
    assert "UTC" in words
    assert f"apply_break_lock={other.token}" in words


def test_the_lock_of_a_process_that_ended_here_is_taken_over_at_once():
    ended = subprocess.Popen(["true"])
    ended.wait()
    board, said = Board(replace(new_record("apply"), pid=ended.pid)), []
    with held(board, "apply", said_nothing, said.append):
        assert board.record.pid == os.getpid()
    assert "has ended" in said[0]


def test_a_process_number_of_another_machine_proves_nothing():
    ended = subprocess.Popen(["true"])
    ended.wait()
    record = from_elsewhere(pid=ended.pid)
    assert is_gone(record, record.renewed + 1, 60) == ""


def test_a_holder_that_gives_no_sign_of_life_is_taken_over():
    record = from_elsewhere()
    assert is_gone(record, record.renewed + 59, 60) == ""
    assert "no sign of life for 61 s" in is_gone(record, record.renewed + 61, 60)


def test_a_lock_is_broken_by_its_token_and_by_no_other():
    board = Board(from_elsewhere())
    with pytest.raises(FleetHeld), held(board, "apply", said_nothing, said_nothing, "another-token"):
        pass
    with held(board, "apply", said_nothing, lambda text: None, board.record.token):
        assert board.record.pid == os.getpid()


def test_of_two_that_take_over_one_wins():
    class Contested(Board):
        def release_lock(self, token):
            super().release_lock(token)
            if self.record is None:
                self.record = from_elsewhere()

    with (
        pytest.raises(FleetHeld),
        held(Contested(from_elsewhere(renewed=0.0)), "apply", said_nothing, lambda text: None),
    ):
        pass


def test_a_holder_whose_lock_was_taken_is_told():
    board, lost = Board(ttl=0.6), threading.Event()
    with held(board, "apply", lambda why: lost.set(), said_nothing):
        board.record = from_elsewhere()
        assert lost.wait(5)
    assert board.record is not None, "the lock of the one who took it stays"


def test_a_holder_that_is_dead_and_only_waits_to_be_buried_is_gone():
    child = subprocess.Popen(["true"])
    record = replace(new_record("test"), pid=child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert "has ended" in is_gone(record, record.renewed, 60.0)
    child.wait()
