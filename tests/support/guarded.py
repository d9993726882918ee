# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet on a lab's nodes whose servers are replicated and fail over, as its operator and others see it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import small_fleet
from .copies import Copy, copies, not_once
from .lab import Lab
from .outside import Outside

PROTECTED: dict[str, Any] = {"vs_replication": "10s", "vs_failover": "auto"}
"""Of every server, but for what is said of it: the shortest interval there is."""


def until(what: Callable[[], object], seconds: float, words: Callable[[], object] = str, pause: float = 0.25) -> float:
    """Wait for something to be true; how long it took. ``words`` say what is instead, should it not come to that."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {words()}")
        time.sleep(pause)
    return time.monotonic() - began


class GuardedFleet:
    """An inventory one can change, and the nodes it is about, seen from outside."""

    def __init__(self, lab: Lab, folder: Path, **fleet: Any) -> None:
        self.lab = lab
        self.outside = Outside(lab)
        self.inventory = folder / "inventory"
        self.fleet = {**small_fleet.FLEET, "fleet_name": "guarded", **fleet}
        self.servers: dict[str, dict[str, Any]] = {}
        self.witnesses: tuple[str, ...] = ()
        self._declared: dict[str, Mapping[str, Any]] = {}

    # ---- as its operator has it

    @property
    def nodes(self) -> list[str]:
        """Nodes that carry servers, with or without power."""
        return [node for node in self.lab.facts["nodes"] if node not in self.witnesses]

    def declare(self, servers: Mapping[str, Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the inventory: these servers, with what differs from PROTECTED, on these nodes."""
        self.servers = {name: {**PROTECTED, **facts} for name, facts in servers.items()}
        self.witnesses = tuple(node for node, facts in nodes.items() if facts.get("node_witness"))
        self._declared = dict(nodes)
        self.write()

    def write(self, **fleet: Any) -> None:
        """Write it again, with what differs for the whole fleet."""
        small_fleet.write(self.inventory, {**self.fleet, **fleet}, self._declared, self.servers)

    def play(self, playbook: str | Path, *arguments: str, check: bool | None = True, **extra: Any) -> str:
        """The output of a playbook on this inventory. With ``check`` False it has to fail, with None it may."""
        done = self.lab.playbook(playbook, *arguments, inventory=self.inventory, extra=extra, check=bool(check))
        assert check is not False or done.returncode, done.stdout
        return done.stdout

    @contextmanager
    def without_controller(self) -> Iterator[None]:
        """Nothing of the controller's opens a node for as long as the block runs."""
        keys = Path(self.lab.facts["pki"])
        away = keys.rename(keys.with_name("pki-away"))
        try:
            yield
        finally:
            away.rename(keys)

    # ---- as it is

    def guests(self, *but: str) -> dict[str, list[dict[str, Any]]]:
        """Node with power -> its guests (see ``Outside``), but for these nodes, and witnesses: they have no Incus."""
        return self.outside.guests(*but, *self.witnesses)

    def copies(self, *but: str) -> list[Copy]:
        """Every copy of a server on every node with power, but for these."""
        return copies(self.guests(*but))

    def addresses(self) -> dict[str, str]:
        """Server -> its address, as it is written on it."""
        return {
            guest["name"]: json.loads(guest["config"]["user.switchyard.interfaces_spec"])[0][1]
            for found in self.guests().values()
            for guest in found
            if guest["name"] in self.servers
        }

    def where(self) -> dict[str, str]:
        """Server -> the node of its primary, of the highest generation where there are several."""
        found = sorted(self.copies(), key=lambda each: each.generation)
        return {each.server: each.node for each in found if each.role == "primary" and not each.aside}

    def busiest(self, *but: str) -> str:
        """The node that carries most servers."""
        counted = Counter(node for node in self.where().values() if node not in but)
        return max(sorted(counted), key=lambda node: counted[node])

    def of(self, node: str) -> set[str]:
        """Servers a node carries."""
        return {name for name, place in self.where().items() if place == node}

    def coordinator(self) -> str:
        """The node whose Pacemaker decides for all."""
        asked = sorted(self.outside.powered())[0]
        said = self.outside.console(asked, "cibadmin", "--query", "--xpath", "/cib", "--no-children")
        uuid = said.partition('dc-uuid="')[2].partition('"')[0]
        node = f"//node_state[@id='{uuid}']"
        told = self.outside.console(asked, "cibadmin", "--query", "--xpath", node, "--no-children")
        return told.partition('uname="')[2].partition('"')[0]

    def booted(self, node: str) -> str:
        """When it did, in some unit; empty while it does not say."""
        return self.outside.console(node, "cut", "-d", " ", "-f", "22", "/proc/1/stat", check=False).strip()

    def up(self, *nodes: str) -> bool:
        """Whether the Incus of each of these nodes answers."""
        try:
            return set(nodes) <= set(self.guests())
        except (RuntimeError, json.JSONDecodeError):
            return False

    def given_up(self, node: str) -> bool:
        """Whether the others know that a node is dead, and have seen to it: from then on it may have power again."""
        asked = sorted(self.outside.powered() - {node})[0]
        said = self.outside.console(asked, "crm_mon", "-1", check=False)
        return re.search(rf"OFFLINE: \[.* {node} ", said) is not None

    def troubles(self) -> list[str]:
        """What is not as it is on an ordinary day. Empty: the next disaster may come."""
        try:
            found = self.copies()
        except (RuntimeError, json.JSONDecodeError) as error:
            return [str(error)]
        dark = [f"{node} has no power" for node in self.lab.facts["nodes"] if node not in self.outside.powered()]
        wrong = dark + not_once(found, self.servers)
        for name, facts in self.servers.items():
            if facts["vs_replication"] == "none":
                continue
            fresh = [each for each in found if each.server == name and each.role == "replica" and each.refreshed]
            if not fresh:
                wrong.append(f"{name} has no complete replica")
            elif facts["vs_failover"] == "auto" and not any(self._paired(each, found) for each in fresh):
                wrong.append(f"{name} is in the care of no pair of nodes")
        return wrong or self._cluster()

    def calm(self, seconds: float = 240) -> float:
        """Wait until nothing is out of the ordinary; how long it took."""
        last: list[str] = []

        def well() -> bool:
            last[:] = self.troubles()
            return not last

        return until(well, seconds, lambda: "; ".join(last), pause=0.5)

    def _cluster(self) -> list[str]:
        """Nodes that are not members, and resources that run nowhere or have failed, as Pacemaker tells."""
        said = self.outside.console(self.nodes[0], "crm_mon", "-1", "--inactive", check=False)
        wrong = [line.strip(" *\t") for line in said.splitlines() if _unwell(line)]
        return [*wrong, *([] if "partition with quorum" in said else [f"no quorum: {said.strip()[:200]}"])]

    @staticmethod
    def _paired(replica: Copy, found: Iterable[Copy]) -> bool:
        """Whether a server and its replica bear the same label, which tells where they are."""
        primary = next((each for each in found if each.server == replica.server and each.role == "primary"), None)
        return primary is not None and primary.pair == replica.pair == (primary.node, replica.node)

    def sweep(self) -> None:
        """What was put aside is thrown away: by us, never by the fleet."""
        for each in self.copies():
            if each.aside:
                self.outside.console(each.node, "incus", "delete", "--force", each.server)


def _unwell(line: str) -> bool:
    """Whether a line of Pacemaker's account tells of a member that is away, or of a resource that does not run."""
    resource = "(ocf:switchyard:pair)" in line or "(stonith:" in line
    return "OFFLINE" in line.upper() or "FAILED" in line or (resource and "Started" not in line)
