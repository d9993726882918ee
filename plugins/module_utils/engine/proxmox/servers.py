# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine does with servers, containers and VMs alike: kept in step, started, stopped, deleted.

How one is made is the business of ``creation``, how a change is made safely that of ``guests``, and what differs
between containers and VMs is in their dialects.
"""

from __future__ import annotations

from typing import Any

from ...fleet.model import Server
from ..base import EngineError, Refused
from . import resource_pools
from .creation import Creation
from .guests import Found, Guests, doubtful

_GONE = {"purge": 1, "destroy-unreferenced-disks": 0}
"""What bears its number and is not in its configuration may be of another cluster's guest, on storage both share."""


class Servers:
    """The servers of one cluster."""

    def __init__(self, guests: Guests, creation: Creation) -> None:
        self._guests = guests
        self._fleet = guests.fleet
        self._creation = creation
        self._later: dict[str, Server] = {}
        """Servers whose network waits for their next start."""

    def configure(self, server: Server, node: str) -> tuple[str, ...]:
        """One request; three, or four where it runs, if something differs; one or two more for a resource pool.
        The network of one that runs waits for its next start: Proxmox VE would change it at once, or half of it."""
        attempt = f"configure {server.name}"
        here = self._creation.complete(self._guests.need(server.name, node, attempt), attempt, server)
        where, waits = self._fleet.nodes[node], False

        def wanted(found: Found) -> dict[str, Any]:
            nonlocal waits
            body = found.dialect.configured(found.config, server, where, self._fleet)
            self._later.pop(server.name, None)
            waits = False
            if not body or not self._guests.runs(found, attempt):
                return body
            now = found.dialect.configured(found.config, server, where, self._fleet, network=False)
            if now != body:
                self._later[server.name], waits = server, True
            return now

        self._guests.change(server.name, node, attempt, wanted, here)
        if server.resource_pool:
            resource_pools.put(self._guests, here, server.resource_pool, attempt)
        return ("network",) if waits else ()

    def resize(self, server: Server, node: str) -> tuple[str, ...]:
        """One request, and three for each of configuration and disk that differs; two more where it runs."""
        attempt = f"resize {server.name}"
        found = self._creation.complete(self._guests.need(server.name, node, attempt), attempt, server)
        if self._creation.grow(found, server.size.disk, attempt):
            found = self._guests.need(server.name, node, attempt)

        def wanted(now: Found) -> dict[str, Any]:
            return now.dialect.resized(now.config, server, self._fleet)

        if self._guests.change(server.name, node, attempt, wanted, found) and self._guests.runs(found, attempt):
            return self._guests.waiting(found, attempt)
        return ()

    def start(self, name: str, node: str) -> None:
        """Four requests: GET, POST, and asking how it goes."""
        attempt = f"start {name}"
        found = self._creation.complete(self._guests.need(name, node, attempt), attempt)
        self._catch_up(name, node)
        self._guests.start(found, attempt)

    def stop(self, name: str, node: str) -> None:
        """Four requests: GET, POST, and asking how it goes."""
        attempt = f"stop {name}"
        self._guests.stop(self._guests.need(name, node, attempt), attempt)

    def restart(self, name: str, node: str) -> None:
        """Seven requests: GET, and twice POST and asking how it goes."""
        attempt = f"restart {name}"
        found = self._guests.need(name, node, attempt)
        self._guests.stop(found, attempt)
        found = self._creation.complete(found, attempt)
        self._catch_up(name, node, stopped=True)
        self._guests.start(found, attempt)

    def delete(self, name: str, node: str) -> None:
        """Four requests: GET, DELETE, and asking how it goes. Its jobs, backups' entries and HA resource go with it."""
        attempt = f"delete {name}"
        found = self._guests.find(name, node, attempt)
        if found is None:
            return
        try:
            self._guests.run("DELETE", found.path, node, attempt, _GONE)
        except EngineError as error:
            if not doubtful(error):
                raise
            self._guests.settle(found, attempt)
            if self._guests.read(node, found.kind, found.vmid, attempt) is not None:
                if "is running" in error.answer:
                    raise Refused(node, attempt, error.answer, "stop it first") from None
                raise
        self._guests.numbers.forget()

    # ---- inside

    def _catch_up(self, name: str, node: str, *, stopped: bool = False) -> None:
        """The network that waited for this start."""
        server = self._later.get(name)
        if server is None:
            return
        attempt = f"configure {name}"

        def wanted(found: Found) -> dict[str, Any]:
            if not stopped and self._guests.runs(found, attempt):
                return {}
            return found.dialect.configured(found.config, server, self._fleet.nodes[node], self._fleet)

        if self._guests.change(name, node, attempt, wanted):
            self._later.pop(name, None)
