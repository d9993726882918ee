# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are replicated and fail over, on a double, and plans carried out on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Fleet,
    Node,
    ObservedServer,
    Plan,
    Replication,
    Rule,
    Server,
    Step,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.steps import doer
from cluster import client_of, fleet_of, server
from double import Double

EVERY_5M = Replication("interval", 300)
AUTO = Failover("auto")
LONG = 60.0
"""Seconds a test waits for what has to happen in the end; far more than it takes."""


class _Silent:
    """Somebody who listens to no step."""

    def __call__(self, words: str) -> None:
        """Progress."""

    def node_is_free(self) -> None:
        """Nobody waits for the node."""

    def must_end(self) -> None:
        """Nobody stops it."""


class Told(_Silent):
    """What a step told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, words: str) -> None:
        self.words.append(words)


def pbx(name: str = "pbx-001", **more: Any) -> Server:
    """Replicated every five minutes, and started elsewhere by itself."""
    return server(name, **{"replication": EVERY_5M, "failover": AUTO, **more})


def fleet(
    double: Double, *servers: Server, rules: tuple[Rule, ...] = (), backup: Mapping[str, str] | None = None
) -> Fleet:
    """The fleet that declares these servers; ``backup``: node -> its declared backup."""
    nodes = {name: Node(name, "127.0.0.1", backup=(backup or {}).get(name, "")) for name in double.world.cluster.nodes}
    return replace(fleet_of(double, *servers), nodes=nodes, rules=rules)


def engine(double: Double, declared: Fleet) -> ProxmoxEngine:
    return ProxmoxEngine(declared, client_of(double))


def changes(platform: ProxmoxEngine, action: Callable[[], object]) -> list[str]:
    """What was sent to change something while an action ran: ``PUT /cluster/replication/100-0``."""
    client, sent = platform._client, []
    real = client.send

    def send(method: str, path: str, *rest: Any, **named: Any) -> Any:
        sent.append(f"{method} {path}")
        return real(method, path, *rest, **named)

    client.send = send  # type: ignore[method-assign]
    try:
        action()
    finally:
        client.send = real  # type: ignore[method-assign]
    return sent


def carry_out(platform: ProxmoxEngine, declared: Fleet, plan: Plan) -> None:
    """Every step, in the plan's order."""
    assert not plan.refusals, plan.refusals
    do = doer(declared, platform, threading.Event())
    for step in plan.steps:
        if step.action != "gate":
            do(step, _Silent())


def converged(platform: ProxmoxEngine, declared: Fleet) -> Plan:
    """Plan, and carry it out."""
    plan = converge(declared, platform.observe())
    carry_out(platform, declared, plan)
    return plan


def ids(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps if step.action != "gate"]


def step(plan: Plan, name: str) -> Step:
    return next(each for each in plan.steps if each.id == name)


def until(true: Callable[[], object], what: str) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def replicas(platform: ProxmoxEngine, name: str) -> list[ObservedServer]:
    return [each for each in platform.observe().servers if each.name == name and each.role == "replica"]


def primary(platform: ProxmoxEngine, name: str) -> ObservedServer:
    return next(each for each in platform.observe().servers if each.name == name and each.role == "primary")
