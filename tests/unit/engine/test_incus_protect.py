# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is stopped on purpose does not start on its backup: its replica is told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import instances, protect, safekeeping
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node

FLEET = Fleet("test", "incus", {name: Node(name, "192.0.2.1") for name in ("n1", "n2")}, {})


def copy(**marks: str) -> Found:
    config = {"role": "primary", "generation": "3", "keeps": "running", "pair": "n1 n2", "replicas": "n2", **marks}
    return Found({"status": "Stopped", "config": {f"user.switchyard.{key}": text for key, text in config.items()}}, "")


class Replicas:
    """The guests of a node with one replica, or of one that does not answer."""

    found: Found | None = None

    def __init__(self, *_what: Any) -> None:
        pass

    def mark(self, _name: str, attempt: str, choose: Callable[[Found], Mapping[str, str]]) -> None:
        if self.found is None:
            raise Unreachable("n2", attempt, "no connection")
        self.found.raw["config"].update(choose(self.found))


def told(monkeypatch: pytest.MonkeyPatch, server: Found, replica: Found | None) -> str:
    """What the replica is kept as after its server is to be kept stopped."""
    monkeypatch.setattr(protect, "Guests", Replicas)
    monkeypatch.setattr(Replicas, "found", replica)
    clients = {name: cast(Client, None) for name in FLEET.nodes}
    protect.Protection(FLEET, clients).keep("pbx", server, "stopped")
    return replica.config[safekeeping.KEEPS] if replica else ""


def test_its_replica_is_told(monkeypatch: pytest.MonkeyPatch):
    assert told(monkeypatch, copy(), copy(role="replica")) == "stopped"


@pytest.mark.parametrize(
    ("server", "replica"),
    [
        (copy(), copy(role="replica", generation="1000")),
        (copy(), copy(generation="1000")),
        (copy(pair=""), copy(role="replica")),
        (copy(replicas=""), copy(role="replica")),
        (copy(), None),
    ],
    ids=["promoted elsewhere since", "promoted", "not in a pair", "no replica", "silent"],
)
def test_nobody_else_is_and_a_silent_node_is_no_failure(monkeypatch, server, replica):
    assert told(monkeypatch, server, replica) != "stopped"


def test_it_is_told_once_when_that_changes():
    class Here:
        def set_keys(self, *_what: Any) -> None: ...

    seen: list[str] = []
    node = object.__new__(instances.Instances)
    node._guests, node._noted = cast(Any, Here()), lambda _name, _found, state: seen.append(state)
    node._note("pbx", copy(), "stopped", "stop pbx")
    node._note("pbx", copy(keeps="stopped"), "stopped", "stop pbx")
    node._note("pbx", copy(pair="", replicas=""), "stopped", "stop pbx")
    assert seen == ["stopped"]
