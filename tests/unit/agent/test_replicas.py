# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A refresh that systemd ends has failed, and is counted as one."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import replicas, whereabouts
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.settings import Settings
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import safekeeping
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found, Guests


class Replica:
    """A node's guests, of which one is a replica."""

    def __init__(self) -> None:
        self.config = {"user.switchyard.role": "replica"}

    def find(self, _name: str, _attempt: str) -> Found:
        return Found({"config": self.config}, "")

    def mark(self, _name: str, _attempt: str, keys: Any) -> None:
        self.config |= keys(self.find("", ""))


def test_a_refresh_that_is_ended_counts_as_failed(monkeypatch: pytest.MonkeyPatch):
    def slow(*_what: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(whereabouts, "find", slow)
    here, before = Replica(), signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(EngineError, match="replication_timeout"):
            replicas._refresh(cast(Settings, SimpleNamespace(here="n1")), cast(Guests, here), "pbx", quiet=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert safekeeping.copying(here.config).failures == 1
