# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Proxmox VE engine: one cluster, spoken to through whichever of its nodes answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

from ...fleet.importing.existing import Existing
from ...fleet.model import Arrangement, Exported, Fleet, Manner, Observed, Server, Statistics, Template
from ..base import Arrived, Engine, Leaving, LockRecord, Progress, Sink, Whereabouts, never, nothing
from . import files, maintenance
from .adopt import adopt
from .client import Client
from .clone import Cloner
from .creation import Creation
from .describe import describe
from .failover import Failover
from .guests import Guests
from .lock import Lock
from .move import Move
from .observe import observe
from .replication import Replication
from .servers import Servers
from .statistics import statistics
from .templates import Templates


class ProxmoxEngine(Engine):
    """A fleet on a Proxmox VE cluster."""

    name: ClassVar[str] = "proxmox"
    queues_copies: ClassVar[bool] = True

    def __init__(self, fleet: Fleet, client: Client) -> None:
        super().__init__(fleet)
        self._client = client
        self._guests = Guests(fleet, client)
        cloner = Cloner(self._guests)
        self._templates = Templates(self._guests, cloner)
        self._creation = Creation(self._guests, cloner, self._templates)
        self._servers = Servers(self._guests, self._creation)
        self._lock = Lock(fleet.name, client)
        self._replication = Replication(self._guests)
        self._failover = Failover(self._guests)
        self._unguarded: set[str] = set()
        """Servers seen without replica and protection, which need no looking up before they move or go."""

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._client.calls

    def close(self) -> None:
        """Let go of every connection."""
        self._client.close()

    def observe(self, measure: bool = False) -> Observed:
        """See base.Engine. Some eight requests, and one per node and storage that may hold templates."""
        seen = observe(self.fleet, self._client, measured=measure)
        self._failover.look_again()
        guarded = {each.name for each in seen.servers if each.role == "replica" or each.protection}
        self._unguarded = {each.name for each in seen.servers if each.name not in guarded}
        return seen

    def statistics(self, details: Collection[str] = ()) -> Statistics:
        """See base.Engine. One request, two per node, and one per server in ``details``."""
        return statistics(self._client, details)

    def describe(self) -> Existing:
        """See base.Engine. One request per guest."""
        return describe(self._client, self.observe())

    def adopt(self, server: Server, node: str, *, check: bool = False) -> dict[str, tuple[str, str]]:
        """See base.Engine."""
        return adopt(self._guests, server, node, check=check)

    def provide_template(self, template: Template, node: str, source: str, progress: Progress) -> None:
        """See base.Engine. A guest that is a template is cloned; archives are not copied from node to node: Refused
        where one is not there."""
        attempt = f"copy template {template.name} {template.version} from {source} to {node}"
        self._templates.provide(template, node, source, attempt, progress)

    def create(self, server: Server, node: str, progress: Progress) -> None:
        """See base.Engine."""
        self._creation.create(server, node, progress)

    def copy(self, source: str, source_node: str, server: Server, node: str, progress: Progress) -> None:
        """See base.Engine."""
        self._creation.copy(source, source_node, server, node, progress)

    def export_server(
        self,
        name: str,
        node: str,
        sink: Sink,
        progress: Progress,
        *,
        compression: str = "gzip",
        run: str = "run",
        over: Callable[[str], bool] = never,
    ) -> None:
        """See base.Engine. Refused: see ``files``."""
        del sink, progress, compression, run, over
        raise files.no_export(self._guests, name, node)

    def read_export(self, path: str) -> Exported:
        """See base.Engine. Refused: see ``files``."""
        raise files.no_import(path)

    def configure(self, server: Server, node: str) -> tuple[str, ...]:
        """See base.Engine."""
        return self._servers.configure(server, node)

    def resize(self, server: Server, node: str) -> tuple[str, ...]:
        """See base.Engine."""
        return self._servers.resize(server, node)

    def start(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._servers.start(name, node)

    def stop(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._servers.stop(name, node)

    def restart(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._servers.restart(name, node)

    def delete(self, name: str, node: str) -> None:
        """See base.Engine. Its replicas go first: once it is gone nobody would remove them."""
        if name not in self._unguarded:
            found = self._guests.find(name, node, f"delete {name}")
            if found:
                self._replication.forget(found)
                self._failover.forget(found)
        self._servers.delete(name, node)

    def move(
        self,
        server: Server,
        source: str,
        node: str,
        manner: Manner,
        progress: Progress,
        *,
        leaving: Leaving = nothing,
        arrived: Arrived = nothing,
    ) -> float:
        """See base.Engine."""
        if server.name not in self._unguarded:
            self._failover.make_way(server.name, source, node)
        return Move(self._guests, server, source, node, progress)(manner, leaving, arrived)

    def replicate(self, server: Server, node: str, backup: str, progress: Progress) -> None:
        """See base.Engine."""
        self._unguarded.discard(server.name)
        self._replication.replicate(server, node, backup, progress)

    def unreplicate(self, name: str, node: str, backup: str) -> None:
        """See base.Engine."""
        self._replication.unreplicate(name, node, backup)

    def protect(self, server: Server, node: str, backups: Sequence[str]) -> None:
        """See base.Engine."""
        self._unguarded.discard(server.name)
        self._failover.protect(server, node, backups)

    def unprotect(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._failover.unprotect(name, node)

    def arrange(self, arrangement: Arrangement, on: bool) -> None:
        """See base.Engine."""
        self._failover.arrange(arrangement, on=on)

    def set_maintenance(self, node: str, on: bool) -> None:
        """See base.Engine."""
        maintenance.switch(self._client, self.fleet.name, node, on=on)

    def take_lock(self, record: LockRecord) -> LockRecord | None:
        """See base.Engine."""
        return self._lock.take(record)

    def renew_lock(self, record: LockRecord) -> bool:
        """See base.Engine."""
        return self._lock.renew(record)

    def release_lock(self, token: str) -> None:
        """See base.Engine."""
        self._lock.release(token)

    def remember(self, placement: Mapping[str, Whereabouts]) -> None:
        """See base.Engine. Nothing to do: the cluster's own file system keeps every guest's configuration, with its
        node and our marks, on every node that has a vote."""
