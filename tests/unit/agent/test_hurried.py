# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a pair of nodes ends in time, whatever hangs, and fails for no full disk."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import memory
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.health import Health
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.hurried import Hurried
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.launch import Deadline
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import TimedOut
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Limits, Node

FLEET = Fleet("test", "incus", {"n1": Node("n1", "192.0.2.1")}, {}, limits=Limits(operation=60.0))


class Hanging:
    """An Incus that takes every change, and never ends one."""

    node = "n1"
    limits = FLEET.limits

    def send(self, *_what: Any, **_how: Any) -> Any:
        return SimpleNamespace(operation="/1.0/operations/x")

    def get(self, *_what: Any, **_how: Any) -> Any:
        time.sleep(0.05)
        return SimpleNamespace(metadata={"status_code": 103})


def guests(seconds: float) -> Hurried:
    return Hurried(FLEET, cast(Client, Hanging()), Deadline(seconds))


def test_whoever_comes_later_has_less_time():
    assert guests(57).fleet.limits.operation == pytest.approx(52, abs=1)
    assert guests(300).fleet.limits.operation == 60
    assert guests(2).fleet.limits.operation == 1
    assert guests(57).patient(5.0).fleet.limits == replace(FLEET.limits, stop=5.0, operation=pytest.approx(52, abs=1))


def test_a_server_that_hangs_is_given_up_before_the_deadline():
    began = time.monotonic()
    for _again in range(2):
        with pytest.raises(TimedOut):
            guests(6).patient(5.0).start("pbx", "start pbx")
    assert time.monotonic() - began < 5


def test_a_full_disk_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    memory.keep(nowhere / "a:b", memory.Memory(1.0, {"pbx": Health(1.0)}), "test")
    with memory.hands_on("a", "b", 0.0, nowhere) as free:
        assert free
    assert capsys.readouterr().err.count("can be written") == 2
    memory.keep(tmp_path / "a:b", memory.Memory(1.0), "test")
    assert json.loads((tmp_path / "a:b").read_text())["fleet"] == "test"
