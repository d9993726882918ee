# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server fetched from its node as a file.

The node packs a backup, which takes room there; we fetch it, and have it removed. One that a run which was killed left
behind goes with the next export of that server, or by itself after a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

from ...fleet.model import Fleet
from ..base import EngineError, Progress, Refused, Sink, Unreachable
from . import handover
from .client import Client, Missing
from .guests import Found, Guests, path_of
from .stream import Stream
from .units import mib

_OURS = "switchyard-"
_KEPT = 24 * 3600.0
"""Seconds after which the node removes a backup nobody came for."""
_SLOWEST = 5.0
"""MiB/s a server is packed with: how much longer than any other operation it may take."""
_UNLIMITED = 100 * 1024
"""MiB a server without a limit may have to be packed."""
_MIB = 1024 * 1024


class Export:
    """One server's way into a file."""

    def __init__(self, fleet: Fleet, name: str, client: Client, progress: Progress) -> None:
        self._guests = Guests(fleet, client)
        self._client = client
        self._name = name
        self._progress = progress
        self._attempt = f"export {name}"
        self._fleet = fleet

    def __call__(self, sink: Sink, compression: str, run: str, over: Callable[[str], bool]) -> None:
        """See base.Engine.export_server."""
        found = self._guests.need(self._name, self._attempt)
        self._check(found)
        self._tidy(over)
        backup = f"{_OURS}{run}"
        try:
            self._pack(found, backup, compression)
            self._fetch(backup, sink)
        finally:
            self._remove(backup)

    def _check(self, found: Found) -> None:
        if found.replica:
            raise self._no("the copy there is a replica; its server is elsewhere", "try again")
        if handover.other_node(found.config):
            raise self._no("it is on its way to another node", "end the move first")
        tie = handover.tied(found.raw)
        if tie:
            raise self._no(tie, "what is on it is no part of the server: detach it, or save it another way")

    def _pack(self, found: Found, backup: str, compression: str) -> None:
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _KEPT))
        body = {
            "name": backup,
            "expires_at": expires,
            "instance_only": True,
            # As files, so that any storage driver can take it in.
            "optimized_storage": False,
            "compression_algorithm": compression,
        }
        size = mib(_root(found).get("size", "")) or _UNLIMITED
        seconds = self._fleet.limits.operation + size / _SLOWEST
        self._progress(f"{self._client.node} packs it")
        self._guests.run("POST", self._path(), self._attempt, body, progress=self._progress, seconds=seconds)

    def _fetch(self, backup: str, sink: Sink) -> None:
        done, told, whole = 0, 0, 0
        with Stream.to(self._client) as stream:
            for piece, whole in stream.fetch(f"{self._path(backup)}/export", self._attempt):
                sink(piece)
                done += len(piece)
                tenth = 10 * done // whole if whole else done // (256 * _MIB)
                if tenth > told:
                    told = tenth
                    self._progress(f"fetched {done // _MIB} MiB" + (f" of {whole // _MIB}" if whole else ""))
        if whole and done < whole:
            raise Unreachable(self._client.node, self._attempt, f"the file ended after {done} of {whole} bytes")

    def _tidy(self, over: Callable[[str], bool]) -> None:
        """Remove what runs that are over left behind."""
        for each in self._client.get(f"{self._path()}?recursion=1", self._attempt).metadata or ():
            name = str(each["name"]).rpartition("/")[2]
            if name.startswith(_OURS) and over(name.removeprefix(_OURS)):
                self._remove(name)

    def _remove(self, backup: str) -> None:
        # What is wrong with the node has been said, or will be; the node itself removes it in the end.
        with suppress(EngineError):
            # A node that is still packing it would go on, and keep it.
            self._guests.settle(self._name, self._attempt, None, self._fleet.limits.operation)
            with suppress(Missing):
                self._guests.run("DELETE", self._path(backup), self._attempt)

    def _path(self, backup: str = "") -> str:
        return f"{path_of(self._name)}/backups" + (f"/{quote(backup, safe='')}" if backup else "")

    def _no(self, answer: str, hint: str) -> Refused:
        return Refused(self._client.node, self._attempt, answer, hint)


def _root(found: Found) -> dict[str, str]:
    devices = (found.raw.get("expanded_devices") or found.raw["devices"]).values()
    return next((dict(each) for each in devices if each.get("type") == "disk" and each.get("path") == "/"), {})
