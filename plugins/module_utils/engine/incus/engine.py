# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Incus engine: every node an independent Incus server, spoken to over HTTPS."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from ...fleet.importing.existing import Existing
from ...fleet.model import Exported, Fleet, Manner, Observed, Server, Statistics, StoredTemplate, Template
from ..base import (
    Arrived,
    Engine,
    EngineError,
    Leaving,
    LockRecord,
    Progress,
    Refused,
    Sink,
    Untrusted,
    Whereabouts,
    never,
    nothing,
)
from ..trace import Trace
from . import archive, existing, image, ledger, maintenance
from .client import Client
from .copy import Copy
from .export import Export
from .golden import Golden
from .guests import Found, Guests
from .incoming import Import, described
from .instances import Instances
from .lock import Lock
from .move import Move
from .observe import observe
from .promote import promote_by_hand
from .protect import Protection
from .replicate import Replication
from .replicate_in_step import bring_into_step
from .several import ask_all
from .statistics import statistics


class IncusEngine(Engine):
    """A fleet of independent Incus servers."""

    name: ClassVar[str] = "incus"

    def __init__(self, fleet: Fleet, clients: Mapping[str, Client], trace: Trace) -> None:
        super().__init__(fleet)
        self._clients = dict(clients)
        self._trace = trace
        self._lock = Lock(fleet, self._clients)
        self._replication = Replication(fleet, self._clients)
        self._protection = Protection(fleet, self._clients)
        self._archives: dict[str, archive.Archive] = {}
        """Files that were read: once is enough, they may be large."""

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._trace.count

    def close(self) -> None:
        """Let go of every connection."""
        for client in self._clients.values():
            client.close()
        self._trace.close()

    def observe(self, measure: bool = False) -> Observed:
        """See base.Engine. Five requests per node, and one per storage pool; one more to measure."""
        return observe(self.fleet, self._clients.values(), measured=measure)

    def statistics(self, details: Collection[str] = ()) -> Statistics:
        """See base.Engine. Five requests per node and two per network card that leads out of it; takes a second."""
        del details
        return statistics(self.fleet, self._clients.values())

    def describe(self) -> Existing:
        """See base.Engine. Two requests per node beyond those of observe."""
        return existing.describe(self.fleet, self._clients.values(), self.observe())

    def adopt(self, server: Server, node: str, *, check: bool = False) -> dict[str, tuple[str, str]]:
        """See base.Engine."""
        return existing.adopt(self.fleet, self._client(node), server, check=check)

    def provide_template(self, template: Template, node: str, source: str, progress: Progress) -> None:
        """See base.Engine. Five requests, one if it is there already."""
        image.provide(template, self._client(source), self._client(node), self.fleet.limits.operation, progress)

    def templates(self) -> list[StoredTemplate]:
        """See base.Engine. One request per node."""
        answers = ask_all(self._clients.values(), image.stored)
        for answer in answers.values():
            if isinstance(answer, Untrusted):
                raise answer
        return [each for answer in answers.values() if not isinstance(answer, EngineError) for each in answer]

    def publish(self, source: str, node: str, template: Template, progress: Progress) -> None:
        """See base.Engine. About 20 requests."""
        Golden(self.fleet, self._client(node), template, progress)(source)

    def discard(self, name: str, version: str, node: str) -> None:
        """See base.Engine. Three requests, one if it is gone already."""
        image.discard(self._client(node), name, version, self.fleet.limits.operation)

    def create(self, server: Server, node: str, progress: Progress) -> None:
        """See base.Engine."""
        self._instances(node).create(server, progress)

    def copy(self, source: str, source_node: str, server: Server, node: str, progress: Progress) -> None:
        """See base.Engine. About 15 requests, 4 of them writes, and one for each of SSH's host keys."""
        here, there = self._client(source_node), self._client(node)
        Copy(self.fleet, server, name=source, source=here, target=there, progress=progress)()

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
        """See base.Engine. About eight requests."""
        Export(self.fleet, name, self._client(node), progress)(sink, compression, run, over)

    def read_export(self, path: str) -> Exported:
        """See base.Engine. No request."""
        read = self._read(path)
        return Exported(path, read.checksum, described(read, self.fleet))

    def import_server(self, path: str, server: Server, node: str, progress: Progress) -> None:
        """See base.Engine. About eight requests, and one for each of SSH's host keys of a new server."""
        Import(self.fleet, server, self._client(node), progress)(self._read(path))

    def configure(self, server: Server, node: str) -> None:
        """See base.Engine."""
        self._instances(node).configure(server)

    def resize(self, server: Server, node: str) -> None:
        """See base.Engine."""
        self._instances(node).resize(server)

    def start(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._instances(node).start(name)

    def stop(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._instances(node).stop(name)

    def restart(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._instances(node).restart(name)

    def delete(self, name: str, node: str) -> None:
        """See base.Engine."""

        def let_go(found: Found) -> None:
            self._replication.forget(name, node, found)
            self._protection.forget(name, found)

        self._instances(node).delete(name, let_go)

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
        here, there = self._client(source), self._client(node)
        gap = Move(self.fleet, server, here, there, progress)(manner, leaving, arrived)
        if server.replication.mode != "none":
            # Their next refresh does so as well; it is too late to call the move a failure.
            with suppress(EngineError):
                self._protection.relabel(server.name, node)
        return gap

    def replicate(self, server: Server, node: str, backup: str, progress: Progress) -> None:
        """See base.Engine. About 15 requests, 5 of them writes; 6 where there is a replica already."""
        if server.replication.mode == "sync":
            bring_into_step(self.fleet, server, self._client(node), self._client(backup), progress)
        else:
            self._replication.replicate(server, self._client(node), self._client(backup), progress)

    def unreplicate(self, name: str, node: str, backup: str) -> None:
        """See base.Engine. About eight requests."""
        self._replication.unreplicate(name, self._client(node), self._client(backup))

    def protect(self, server: Server, node: str, backups: Sequence[str]) -> None:
        """See base.Engine."""
        self._protection.protect(server, self._client(node), backups)

    def unprotect(self, name: str, node: str) -> None:
        """See base.Engine."""
        self._protection.unprotect(name, self._client(node))

    def promote(self, server: Server, node: str, lost: Collection[str]) -> None:
        """See base.Engine. Three requests, and one to each node that is not lost."""
        here = Guests(self.fleet, self._client(node))
        others = [client for name, client in self._clients.items() if name != node and name not in lost]
        promote_by_hand(here, server.name, lost, others)

    def set_maintenance(self, node: str, on: bool) -> None:
        """See base.Engine."""
        maintenance.switch(self._client(node), self.fleet.name, on=on)

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
        """See base.Engine. One GET per node; one more and a PATCH where something differs."""
        attempt = "write the ledger"
        key = ledger.key(self.fleet.name)
        answers = ask_all(self._clients.values(), lambda client: client.get("/1.0", attempt))
        for answer in answers.values():
            if isinstance(answer, Untrusted):
                raise answer
        texts = {
            name: ledger.config(answer.metadata).get(key, "")
            for name, answer in answers.items()
            if not isinstance(answer, EngineError)
        }
        book = ledger.successor(ledger.newest(texts.values()), placement)
        behind = [self._clients[name] for name, text in texts.items() if ledger.parse(text) != book]
        written = ask_all(behind, lambda client: ledger.write(client, self.fleet.name, book))
        errors = [each for each in (*written.values(), *answers.values()) if isinstance(each, EngineError)]
        if errors and 2 * len(errors) >= len(self.fleet.nodes):
            raise errors[0]

    def _read(self, path: str) -> archive.Archive:
        if path not in self._archives:
            try:
                self._archives[path] = archive.read(path)
            except archive.Unfit as error:
                raise Refused(path, "read the file", str(error), "export the server again") from None
            except OSError as error:
                raise Refused(path, "read the file", error.strerror or str(error)) from None
        return self._archives[path]

    def _client(self, node: str) -> Client:
        try:
            return self._clients[node]
        except KeyError:
            raise Refused(node, "reach the node", "never installed", "run the site playbook against it") from None

    def _instances(self, node: str) -> Instances:
        return Instances(self.fleet, self._client(node), self._protection.keep)
