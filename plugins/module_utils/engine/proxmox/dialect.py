# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers and VMs of Proxmox VE have in common: how a declared server is compared with a configuration. Pure.

Values are compared as what they mean: options of a card in any order, tags as a set, sizes as numbers; so that a second
run finds nothing to change.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from ...fleet.model import Fleet, Node, Server
from . import marks
from .config import Config, options_of, storage_of, volume_of
from .legs import Leg

CARD = re.compile(r"net[0-9]+")


class Dialect(ABC):
    """One kind of guest. A wanted value that is empty is the key's absence."""

    kind: ClassVar[str]
    """As it is in the API's paths."""
    word: ClassVar[str]
    """As the HA manager calls it."""
    command: ClassVar[str]
    """The command line's tool."""
    name_key: ClassVar[str]
    migration: ClassVar[str]
    """The type of a task that moves one."""
    disks: ClassVar[re.Pattern[str]]
    network: ClassVar[re.Pattern[str]]
    """Keys that wait for the next start of a guest that runs."""
    numbered: ClassVar[re.Pattern[str]]
    """Keys of which those that nobody declares go."""

    # ---- what differs between the two

    @abstractmethod
    def limits(self, server: Server, current: Config) -> dict[str, Any]:
        """Cores and memory; a fraction of a core is a limit of time on a whole one."""

    @abstractmethod
    def connected(self, server: Server, node: Node, fleet: Fleet, current: Config) -> dict[str, Any]:
        """Cards, addresses and resolvers. A card keeps those of its options that we have no opinion on."""

    @abstractmethod
    def born(self, server: Server, fleet: Fleet, current: Config) -> dict[str, Any]:
        """What a clone gets once and for all."""

    @abstractmethod
    def root(self, current: Config) -> tuple[str, int]:
        """The key of the disk that grows, and its size in MiB; 0 where nobody says."""

    @abstractmethod
    def tie(self, current: Config, shared: set[str]) -> str:
        """What keeps it on its node for good, whatever ``shared`` storages there are. Empty: nothing."""

    @abstractmethod
    def card(self, text: str) -> dict[str, str]:
        """A network card as pairs, with its hardware address in upper case."""

    # ---- what is the same

    def name(self, current: Config) -> str:
        """What it is called."""
        return str(current.get(self.name_key) or "")

    def volumes(self, current: Config) -> Iterator[tuple[str, str, dict[str, str]]]:
        """(key, volume, options) of each of its disks and drives."""
        for key in sorted(current):
            if self.disks.fullmatch(key):
                yield (key, *volume_of(current[key]))

    def storages(self, current: Config) -> set[str]:
        """Storages its disks are on."""
        return {storage_of(volume) for _key, volume, _options in self.volumes(current)} - {""}

    def hardware(self, leg: Leg, old: str | None, current: Config) -> str:
        """A card's hardware address: ours, but a guest that somebody else made keeps the one its neighbours know."""
        return old if old and marks.read(str(current.get("tags") or "")).adopted else leg.hardware

    def settings(self, server: Server, node: Node, fleet: Fleet, current: Config) -> dict[str, Any]:
        """What ``configure`` keeps in step besides the marks."""
        up = f",up={math.ceil(server.start_delay)}" if server.start_delay else ""
        return {
            "onboot": 1 if _starts_by_itself(server) else "",
            "startup": f"order={server.start_order}{up}",
            **self.connected(server, node, fleet, current),
        }

    def configured(
        self, current: Config, server: Server, node: Node, fleet: Fleet, *, network: bool = True
    ) -> dict[str, Any]:
        """What to change so that network, class, tenant and marks are as declared; empty: nothing differs.

        Without ``network`` that stays as it is, and the marks go on saying so.
        """
        was = marks.read(str(current.get("tags") or ""))
        wanted = self.settings(server, node, fleet, current)
        # How big it is changes with resize.
        said = replace(marks.of_server(server, fleet, was), cores=was.cores, disk=was.disk, io=was.io)
        if network:
            wanted |= self._surplus(current, wanted)
        else:
            wanted = {key: value for key, value in wanted.items() if not self.network.fullmatch(key)}
            said = replace(said, interfaces=was.interfaces)
        return self.changes(current, wanted | {"tags": marks.write(said)})

    def resized(self, current: Config, server: Server, fleet: Fleet) -> dict[str, Any]:
        """What to change so that cores, memory and the size that is marked are as declared; the disk is apart."""
        was = marks.read(str(current.get("tags") or ""))
        size = server.size
        said = replace(was, cores=size.cores, disk=size.disk, io=size.io) if was.fleet == fleet.name else was
        return self.changes(current, self.limits(server, current) | {"tags": marks.write(said)})

    def finished(self, current: Config, server: Server, node: Node, fleet: Fleet) -> dict[str, Any]:
        """What to change so that a clone becomes the server: all at once, with our note taken off."""
        # What its source is marked as is not true of it.
        unmarked = {**current, "tags": ""}
        wanted = {
            **self.limits(server, current),
            **self.settings(server, node, fleet, unmarked),
            **self.born(server, fleet, current),
        }
        wanted |= self._surplus(current, wanted)
        was = marks.read(str(current.get("tags") or ""))
        said = marks.of_server(server, fleet)
        if was.fleet == fleet.name and was.template:
            # A copy of another server holds what that one was made from.
            said = replace(said, template=was.template, template_version=was.template_version)
        # That its source is protected, and what is written about it, is its source's.
        return self.changes(current, wanted | {"tags": marks.write(said), "description": "", "protection": ""})

    def changes(self, current: Config, wanted: Config) -> dict[str, Any]:
        """The keys of ``wanted`` that are otherwise; those to remove are in ``delete``."""
        changed = {
            key: value for key, value in wanted.items() if self.normal(key, current.get(key)) != self.normal(key, value)
        }
        gone = sorted(key for key, value in changed.items() if value == "")
        body = {key: value for key, value in changed.items() if value != ""}
        return body | ({"delete": ",".join(gone)} if gone else {})

    def normal(self, key: str, value: Any) -> Any:
        """A value as what it means."""
        if value in (None, ""):
            return 0 if key in ("onboot", "cpulimit", "protection") else ""
        text = str(value).strip()
        if key == "tags":
            return frozenset(filter(None, re.split(r"[;, ]", text)))
        if CARD.fullmatch(key):
            return self.card(text)
        if key == "startup":
            return options_of(text if "=" in text.partition(",")[0] else f"order={text}")
        try:
            return float(text)
        except ValueError:
            return text

    def _surplus(self, current: Config, wanted: Config) -> dict[str, str]:
        return {key: "" for key in current if self.numbered.fullmatch(key) and key not in wanted}


def _starts_by_itself(server: Server) -> bool:
    """At its node's boot. One that has a replica, or is started elsewhere when its node dies, does not: who starts it
    then has to know that nobody else did."""
    alone = server.replication.mode == "none" and server.failover.mode == "off"
    return server.state == "running" and alone


def cores(server: Server) -> tuple[int, str]:
    """(whole cores, limit of time); 0 and an empty text where there is none."""
    wanted = round(server.size.cores, 2)
    whole = math.ceil(wanted)
    return whole, f"{wanted:g}" if wanted != whole else ""
