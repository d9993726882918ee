# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server made from a file: the same again, where it bears the name it had, or else a new one.

1. the file is sent to the node, with the guest described in it as what it is to be: ours, at rest, on this node's
   bridges, with no replica, no pair of nodes and no move
2. the node unpacks it
3. a new server gets an identity of its own, as a copy does

Whoever is cut off in 1 leaves nothing, in 2 a server that is there a moment later; 3 is done by the next run, at the
latest by the first start.
"""

from __future__ import annotations

import re
import time
from typing import Any

from ...fleet.model import Fleet, Node, ObservedServer, Server
from ..base import EngineError, Progress, Refused, TimedOut
from . import duplicate, handover, recognise
from .archive import Archive, Unfit, rewritten
from .client import Client
from .copy import finish
from .guest import MARK
from .guests import INSTANCES, Guests, doubtful
from .operation import wait
from .stream import Stream

_IDMAP = "volatile.last_state.idmap"
"""How the owners of its files are written on its disk."""
_ADOPTED, _GENERATION = f"{MARK}adopted", f"{MARK}generation"
_PAUSES = (1.0, 4.0)
_BUSY = re.compile(r"\bIn use$")
"""What Incus ends with, and takes everything back, if somebody happened to look at the guest in the moment it was done.
Then it is tried again after a pause, in seconds."""
_SLOWEST = 5.0
"""MiB/s a file is unpacked with."""
_MIB = 1024 * 1024


def described(archive: Archive, fleet: Fleet) -> ObservedServer:
    """The server in a file, in the words of the model, whichever fleet's it was."""
    raw = archive.guest
    marked = {**raw, "config": {**raw["config"], f"{MARK}fleet": fleet.name}, "project": "default", "status": "Stopped"}
    marked.pop("expanded_config", None)
    return recognise.guest(marked, "", fleet, 0)


def incoming(archive: Archive, server: Server, node: Node, fleet: Fleet) -> dict[str, Any]:
    """The guest as it is to be from its first moment. Pure."""
    raw = archive.guest
    made = duplicate.duplicate(raw, server, node, fleet)
    # Nothing is filled in from anywhere: what is not its own is left out.
    config = {key: value for key, value in made["config"].items() if value} | {duplicate.IMPORTED: archive.checksum}
    # At rest: otherwise the node's daemon would start it at its own next start.
    config["volatile.last_state.power"] = "STOPPED"
    if _IDMAP in raw["config"]:
        config[_IDMAP] = raw["config"][_IDMAP]
    if server.name == raw["name"]:
        del config[duplicate.COPIED]
        kept = (*handover.IDENTITY, _ADOPTED)
        config |= {key: raw["config"][key] for key in kept if key in raw["config"]}
        # Above any copy of it that was forgotten somewhere since.
        generation = str(raw["config"].get(_GENERATION, "1"))
        config[_GENERATION] = str(int(generation) + 1) if generation.isdigit() else "2"
        if _ADOPTED in config:
            _keep_cards(made["devices"], raw)
    return {**made, "name": server.name, "config": config, "profiles": [], "ephemeral": False, "stateful": False}


def _keep_cards(devices: dict[str, dict[str, str]], raw: dict[str, Any]) -> None:
    for name, device in devices.items():
        known = raw["devices"].get(name, {}).get("hwaddr") or raw["config"].get(f"volatile.{name}.hwaddr")
        if known and device.get("type") == "nic":
            device["hwaddr"] = known


class Import:
    """One server's way out of a file, onto a node."""

    def __init__(self, fleet: Fleet, server: Server, client: Client, progress: Progress) -> None:
        self._guests = Guests(fleet, client)
        self._client = client
        self._fleet = fleet
        self._server = server
        self._progress = progress
        self._attempt = f"import {server.name}"

    def __call__(self, archive: Archive) -> None:
        """See base.Engine.import_server."""
        name, attempt = self._server.name, self._attempt
        seconds = self._fleet.limits.operation + archive.length / _MIB / _SLOWEST
        self._guests.settle(name, attempt, self._progress, seconds)
        found = self._guests.find(name, attempt)
        if found is None:
            self._check(archive)
            for pause in (*_PAUSES, None):
                try:
                    self._send(archive, seconds)
                    break
                except Refused as error:
                    if pause is None or not _BUSY.search(error.answer):
                        raise
                    time.sleep(pause)
        elif found.config.get(duplicate.IMPORTED) != archive.checksum:
            words = f"there is a server {name} already, which was not made from this file"
            raise self._no(words, "delete it first, or import under another name")
        finish(self._guests, self._server, attempt)

    def _check(self, archive: Archive) -> None:
        tie = handover.tied({**archive.guest, "expanded_devices": None})
        if tie:
            raise self._no(tie, "it cannot be brought in")

    def _send(self, archive: Archive, seconds: float) -> None:
        name, attempt = self._server.name, self._attempt
        headers = {"X-Incus-name": name, "X-Incus-pool": self._server.pool}
        try:
            length, pieces = rewritten(archive, incoming(archive, self._server, self._guests.node, self._fleet))
            self._progress(f"{length // _MIB} MiB to send")
            with Stream.to(self._client) as stream:
                begun = stream.give(INSTANCES, attempt, pieces, length, headers)
            wait(self._client, begun.operation, attempt, seconds, self._progress)
        except (Unfit, OSError) as error:
            raise self._no(f"{archive.path}: {error}", "nothing was made of it") from None
        except EngineError as error:
            if not doubtful(error) or isinstance(error, TimedOut):
                raise
            self._guests.settle(name, attempt, self._progress, seconds)
            if self._guests.find(name, attempt) is None:
                raise error from None

    def _no(self, answer: str, hint: str) -> Refused:
        return Refused(self._client.node, self._attempt, answer, hint)
