# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clones of guests: a new number, a note of ours from the first moment, on the node it is wanted on.

What Proxmox VE makes of a clone it makes on the source's node. It gives it to another node only where all its disks are
on storage both reach; otherwise the clone is moved there, stopped, before anything else is done to it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base import EngineError, Progress, Refused
from . import unfinished
from .client import Client, Exists
from .guests import Found, Guests, doubtful
from .recognise import rows_of

_SLOWEST = 10.0
"""MiB/s a copy is borne with: how much longer than any other operation it may take."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a clone is to be: its name and node, the storage of its disks, and whether it goes on sharing what is alike
    with a template (``full`` false). ``snapshot``: the state it is made of, where not the present one. ``group``: its
    resource pool, if it has one."""

    name: str
    node: str
    storage: str
    full: bool
    snapshot: str = ""
    group: str = ""


class Cloner:
    """Clones, of one cluster."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._client = guests.client
        self._turns: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        """A container is cloned once at a time, a template too: who comes in between is turned away."""

    def clone(self, source: Found, wish: Wish, attempt: str, progress: Progress) -> Found:
        """A clone, not finished, on the node it is wanted on."""
        shared = shared_storages(self._client, attempt, (source.node, wish.node))
        storage = {wish.storage} if wish.full else set()
        direct = wish.node == source.node or source.dialect.storages(source.config) | storage <= shared
        if not direct:
            # Before anything is copied: a move of what has come into being could not do it either.
            check_storages(self._guests, source, wish, attempt)
        if source.kind == "lxc":
            with self._turns[source.vmid]:
                found = self._clone(source, wish, attempt, progress, direct=direct)
        else:
            found = self._clone(source, wish, attempt, progress, direct=direct)
        return found if direct else self.bring(found, wish.node, attempt, progress)

    def bring(self, found: Found, node: str, attempt: str, progress: Progress) -> Found:
        """An unfinished guest to the node it is wanted on. It has never run, and does not."""
        if found.node == node:
            return found
        try:
            self._guests.run(
                "POST",
                f"{found.path}/migrate",
                found.node,
                attempt,
                {"target": node},
                progress=progress,
                seconds=self._patience(found),
            )
        except EngineError as error:
            if not doubtful(error):
                raise
            self._guests.settle(found, attempt)
            if self._guests.read(node, found.kind, found.vmid, attempt) is None:
                raise
        self._guests.numbers.forget()
        self._guests.know(found.name, node, found.kind, found.vmid)
        return self._guests.need(found.name, node, attempt)

    def remove(self, found: Found, attempt: str) -> None:
        """What is not finished, and cannot be."""
        self._guests.run("DELETE", found.path, found.node, attempt, {"purge": 1, "destroy-unreferenced-disks": 0})
        self._guests.numbers.forget()

    # ---- inside

    def _clone(self, source: Found, wish: Wish, attempt: str, progress: Progress, *, direct: bool) -> Found:
        born = wish.node if direct else source.node
        body: dict[str, Any] = {
            source.dialect.name_key: wish.name,
            "description": unfinished.note(self._guests.fleet.name, wish.name),
            "full": int(wish.full),
        }
        # A linked clone is where its template is.
        body |= {"storage": wish.storage} if wish.full else {}
        body |= {"target": wish.node} if born != source.node else {}
        body |= {"snapname": wish.snapshot} if wish.snapshot else {}
        body |= {"pool": wish.group} if wish.group else {}
        while True:
            vmid = self._guests.numbers.take(attempt)
            try:
                self._guests.run(
                    "POST",
                    f"{source.path}/clone",
                    source.node,
                    attempt,
                    {"newid": vmid, **body},
                    progress=progress,
                    seconds=self._patience(source),
                )
            except Exists:
                # Somebody else was quicker, on any node.
                continue
            except EngineError as error:
                if not error.unsure:
                    raise
                return self._find_out(source, wish, (born, vmid), attempt, error)
            self._guests.know(wish.name, born, source.kind, vmid)
            return self._guests.need(wish.name, born, attempt)

    def _find_out(self, source: Found, wish: Wish, where: tuple[str, int], attempt: str, error: EngineError) -> Found:
        """Nobody saw how it ended: raise the error unless the clone is there, and whole."""
        node, vmid = where
        try:
            # Its task is one of the source's.
            self._guests.settle(source, attempt)
            found = self._guests.appeared(node, source.kind, vmid, attempt)
            if found and found.lock:
                self._guests.settle(source, attempt)
                found = self._guests.read(node, source.kind, vmid, attempt)
        except EngineError:
            raise error from None
        if found is None or found.name != wish.name or not self._guests.is_unfinished(found):
            raise error
        if found.lock:
            raise cut_off(found, attempt) from None
        self._guests.know(wish.name, node, source.kind, vmid)
        return found

    def _patience(self, found: Found) -> float:
        return self._guests.fleet.limits.operation + found.dialect.root(found.config)[1] / _SLOWEST


def cut_off(found: Found, attempt: str) -> Refused:
    """What to raise for a guest whose creation nobody will go on with."""
    tool = found.dialect.command
    return Refused(
        found.node,
        attempt,
        f"the creation of {found.vmid} was cut off half way, and no call takes its lock off",
        f"on the node: {tool} unlock {found.vmid} && {tool} destroy {found.vmid} --purge; it never ran",
    )


def shared_storages(client: Client, attempt: str, nodes: Iterable[str] = ()) -> set[str]:
    """Storages that all these nodes reach, or all that are up where none is named. One request."""
    rows = rows_of(client.get("/cluster/resources", attempt, type="storage"), "storage")
    up = {str(row["node"]) for row in rows if row.get("status") == "available"}
    return shared_among(rows, tuple(nodes) or up)


def shared_among(rows: Iterable[Mapping[str, Any]], nodes: Iterable[str]) -> set[str]:
    """The same, from rows of /cluster/resources."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        if row.get("shared") and row.get("status") == "available":
            seen.setdefault(str(row["storage"]), set()).add(str(row["node"]))
    return {name for name, reached in seen.items() if set(nodes) <= reached}


def check_storages(guests: Guests, source: Found, wish: Wish, attempt: str) -> None:
    """Raise Refused where the node it is wanted on has no storage of the name."""
    rows = rows_of(guests.client.get("/cluster/resources", attempt, type="storage"), "storage")
    there = {row["storage"] for row in rows if row.get("node") == wish.node and row.get("status") == "available"}
    needed = {wish.storage} if wish.full else source.dialect.storages(source.config)
    missing = sorted(needed - there)
    if missing:
        raise Refused(
            wish.node,
            attempt,
            f"storage {missing[0]} is not available on this node",
            "see vs_pool, and the storage's nodes",
        )
