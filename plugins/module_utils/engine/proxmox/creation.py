# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New guests: of an archive, of a template, of another server; and what is done with those that were begun before.

A container of an archive is whole and marked by the request that makes it. A clone is not: it bears a note of ours
until one last change makes it the server, all at once. Whoever is cut off in between leaves a guest that is not
started, that is known to be ours, and that the next run goes on with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zlib import crc32

from ...fleet.model import Server, Template
from ..base import EngineError, Progress, Refused
from . import unfinished
from .client import Exists
from .clone import Cloner, Wish, cut_off, shared_storages
from .container import CONTAINER
from .guests import Found, Guests, doubtful
from .templates import Templates, shares

_UNDER_WAY = ("create", "clone")
"""Locks of a guest that is just coming into being."""


class Creation:
    """What makes the servers of one cluster."""

    def __init__(self, guests: Guests, cloner: Cloner, templates: Templates) -> None:
        self._guests = guests
        self._fleet = guests.fleet
        self._cloner = cloner
        self._templates = templates

    def create(self, server: Server, node: str, progress: Progress) -> None:
        """Of an archive three requests, POST and asking how it goes; of a template about nine; one or two more for the
        first servers of a run."""
        attempt = f"create {server.name}"

        def begin() -> Found | None:
            template = self._fleet.templates.get(server.template, Template(server.template))
            archive = self._templates.archive(template, node, attempt)
            if archive:
                return self._of_archive(server, node, archive, attempt, progress)
            return self._of_template(server, template, node, attempt, progress)

        self._make(server, node, attempt, progress, begin)

    def copy(self, source: str, source_node: str, server: Server, node: str, progress: Progress) -> None:
        """About ten requests, and seven more where a snapshot is taken. See base.Engine.copy."""
        attempt = f"copy {source} to {server.name}"

        def begin() -> Found:
            there = self._guests.need(source, source_node, attempt)
            if there.lock:
                self._guests.settle(there, attempt)
                there = self._guests.need(source, source_node, attempt)
            self._fits(there, server, attempt)
            return self._of_server(there, server, node, attempt, progress)

        self._guests.numbers.forget()
        self._make(server, node, attempt, progress, begin)

    def complete(self, found: Found, attempt: str, server: Server | None = None) -> Found:
        """A guest whose creation goes on is waited for, one that is not finished is finished. Raises Refused for one
        that cannot be."""
        if found.lock in _UNDER_WAY:
            self._guests.settle(found, attempt)
            now = self._guests.read(found.node, found.kind, found.vmid, attempt)
            if now is None or now.lock in _UNDER_WAY:
                raise cut_off(found, attempt)
            found = now
        if not self._guests.is_unfinished(found):
            return found
        if not found.dialect.root(found.config)[0]:
            # Somebody took the lock off, and left what a clone that was cut off is: a name without a disk.
            raise cut_off(found, attempt)
        server = server or self._fleet.servers.get(found.name)
        if server is None:
            hint = "delete it: it never ran"
            raise Refused(found.node, attempt, f"the guest {found.name} ({found.vmid}) is not finished", hint)
        return self._finish(found, server, attempt)

    def grow(self, found: Found, wants: int, attempt: str) -> bool:
        """Its disk to this many MiB; False: it has them. Raises Refused where it has more."""
        key, has = found.dialect.root(found.config)
        if not (wants and has) or has == wants:
            return False
        if has > wants:
            raise Refused(
                found.node,
                attempt,
                f"its disk has {has} MiB, a smaller one ({wants} MiB) is wanted, and disks only grow",
                f"declare at least {has} MiB, or delete and create the server anew",
            )
        try:
            self._guests.run("PUT", f"{found.path}/resize", found.node, attempt, {"disk": key, "size": f"{wants}M"})
        except EngineError as error:
            if not doubtful(error):
                raise
            self._guests.settle(found, attempt)
            now = self._guests.read(found.node, found.kind, found.vmid, attempt)
            if now is None or found.dialect.root(now.config)[1] != wants or not error.unsure:
                raise
        return True

    # ---- inside

    def _make(
        self, server: Server, node: str, attempt: str, progress: Progress, begin: Callable[[], Found | None]
    ) -> None:
        # One run at a time holds the fleet: what others may have made, they made some seconds ago.
        found = self._guests.find(server.name, node, attempt, fresh=False)
        if found is None:
            other = self._guests.elsewhere(server.name, node, attempt, fresh=False)
            if other and not self._guests.is_unfinished(other):
                raise Refused(node, attempt, f"it is on {other.node} already", "make a new plan")
            if other:
                progress(f"going on with what was begun on {other.node}")
                found = self._cloner.bring(self._settled(other, attempt), node, attempt, progress)
            else:
                found = begin()
        if found:
            self.complete(found, attempt, server)

    def _settled(self, found: Found, attempt: str) -> Found:
        if not found.lock:
            return found
        self._guests.settle(found, attempt)
        now = self._guests.read(found.node, found.kind, found.vmid, attempt)
        if now is None or now.lock:
            raise cut_off(found, attempt)
        return now

    def _of_archive(self, server: Server, node: str, archive: str, attempt: str, progress: Progress) -> Found | None:
        """None: it is whole."""
        where, marked = self._fleet.nodes[node], True
        while True:
            vmid = self._guests.numbers.take(attempt)
            body = CONTAINER.created(server, where, self._fleet, vmid, archive)
            if not marked:
                del body["tags"]
                body["description"] = unfinished.note(self._fleet.name, server.name)
            try:
                self._guests.run("POST", f"/nodes/{node}/lxc", node, attempt, body, progress=progress)
            except Exists:
                # Somebody else was quicker with this number, on any node. One that is busy was waited for already.
                continue
            except EngineError as error:
                if marked and "tags" in body and "VM.Config.Options" in error.answer:
                    # Whoever has his rights from a pool may set tags only on what is in it already.
                    marked = False
                    continue
                if not error.unsure:
                    raise
                self._find_out(server, node, vmid, attempt, error)
            self._guests.know(server.name, node, "lxc", vmid)
            return None if marked else self._guests.need(server.name, node, attempt)

    def _find_out(self, server: Server, node: str, vmid: int, attempt: str, error: EngineError) -> None:
        """Nobody saw how the creation ended: raise the error unless the server is there, and whole."""
        try:
            found = self._guests.appeared(node, "lxc", vmid, attempt)
        except EngineError:
            raise error from None
        if found is None or (found.name or server.name) != server.name:
            raise error
        if found.lock in _UNDER_WAY:
            raise cut_off(found, attempt) from None

    def _of_template(self, server: Server, template: Template, node: str, attempt: str, progress: Progress) -> Found:
        source = self._templates.source(template, node, attempt)
        self._fits(source, server, attempt)
        shared = shared_storages(self._guests.client, attempt)
        full = not shares(template, source, server.pool, shared, attempt)
        wish = Wish(server.name, node, server.pool, full, group=server.resource_pool)
        return self._cloner.clone(source, wish, attempt, progress)

    def _of_server(self, source: Found, server: Server, node: str, attempt: str, progress: Progress) -> Found:
        wish = Wish(server.name, node, server.pool, full=True, group=server.resource_pool)
        if source.kind == "qemu" or not self._guests.runs(source, attempt):
            return self._cloner.clone(source, wish, attempt, progress)
        # A container that runs is copied as it was at one moment.
        able = self._guests.client.get(f"{source.path}/feature", attempt, node=source.node, feature="snapshot")
        if not able.get("hasFeature"):
            raise Refused(
                source.node,
                attempt,
                f"{source.name} runs, and its storage takes no snapshots",
                "stop it for the copy, or move its disks to ZFS, LVM-thin or Ceph and take bind mounts off",
            )
        snapshot = f"switchyard-{crc32(server.name.encode()):08x}"
        self._drop(source, snapshot, attempt)
        text = f"for the copy {server.name}"
        body = {"snapname": snapshot, "description": text}
        self._guests.run("POST", f"{source.path}/snapshot", source.node, attempt, body)
        try:
            return self._cloner.clone(source, replace(wish, snapshot=snapshot), attempt, progress)
        finally:
            self._drop(source, snapshot, attempt)

    def _drop(self, source: Found, snapshot: str, attempt: str) -> None:
        rows: list[dict[str, Any]] = self._guests.client.get(f"{source.path}/snapshot", attempt, node=source.node)
        if any(row.get("name") == snapshot for row in rows):
            self._guests.run("DELETE", f"{source.path}/snapshot/{snapshot}", source.node, attempt)

    def _fits(self, source: Found, server: Server, attempt: str) -> None:
        """Raise Refused where what it is made of is bigger than it is to be."""
        has, wants = source.dialect.root(source.config)[1], server.size.disk
        if wants and has > wants:
            raise Refused(
                source.node,
                attempt,
                f"the disk of {source.name} has {has} MiB, {server.name} is to have {wants} MiB, and disks only grow",
                f"declare at least {has} MiB",
            )

    def _finish(self, found: Found, server: Server, attempt: str) -> Found:
        self.grow(found, server.size.disk, attempt)
        where = self._fleet.nodes[found.node]
        self._guests.change(
            found.name,
            found.node,
            attempt,
            lambda now: now.dialect.finished(now.config, server, where, self._fleet),
        )
        return self._guests.need(found.name, found.node, attempt)
