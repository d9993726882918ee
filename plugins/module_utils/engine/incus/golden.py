# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A template taken from a server that exists, and goes on as it is, running or not.

1. a copy aside, on the same node, that bears nobody's mark and is never started
2. what servers must not have in common is taken out of it
3. it is made an image, which gets its name with its last byte; the copy goes

Whoever is cut off leaves the copy, which the next one throws away and makes anew.
"""

from __future__ import annotations

from typing import Any

from ...fleet.model import Fleet, Template
from ..base import Progress, Refused
from . import handover, identity, image, operation
from .client import Client, Missing
from .guest import MARK, alias, root_of
from .guests import INSTANCES, Found, Guests, doubtful, path_of
from .units import mib

ASIDE = f"{MARK}aside_for"
"""Alias of the image a copy is for: what bears it is ours to throw away."""
_WRITTEN = "/etc/network/interfaces"
"""Written by Incus at each start of what is made from a template of ours; without it a server would keep the address
of the one it was taken from."""
_ONCE = ("/var/lib/switchyard/first-boot.done", "/root/.bash_history")
"""Files that are one server's own: that its first boot is over, and what somebody typed there."""
_SLOWEST = 10.0
"""MiB/s a copy is borne with: how much longer than any other operation it may take."""


class Golden:
    """One server's way into an image."""

    def __init__(self, fleet: Fleet, client: Client, template: Template, progress: Progress) -> None:
        self._guests = Guests(fleet, client)
        self._client = client
        self._fleet = fleet
        self._template = template
        self._progress = progress
        self._alias = alias(template.name, template.version)
        self._copy = f"switchyard-aside-{template.name}"[:63].rstrip("-")

    def __call__(self, server: str) -> None:
        """See base.Engine.publish."""
        attempt = f"take template {self._template.name} {self._template.version} from {server}"
        if image.present(self._client, self._alias, attempt):
            return
        source = self._guests.need(server, attempt)
        self._check(server, source, attempt)
        self._clear(attempt)
        seconds = self._fleet.limits.operation + mib(root_of(source.raw)[1].get("size", "")) / _SLOWEST
        try:
            self._guests.run(
                "POST", INSTANCES, attempt, self._body(server, source), progress=self._progress, seconds=seconds
            )
            self._strip(attempt)
            self._publish(server, source, attempt, seconds)
        finally:
            self._clear(attempt)

    def _check(self, server: str, source: Found, attempt: str) -> None:
        """Raise Refused, before anything is made, for what cannot be a template."""
        if source.raw.get("type", "container") != "container":
            raise self._no(attempt, f"{server} is a VM, whose disk nobody can look into", "take it from a container")
        if source.replica or not source.whole or handover.other_node(source.config):
            raise self._no(attempt, f"{server} is on its way, or a replica", "try again when it is itself again")
        written = (self._client.get(f"{path_of(server)}/metadata", attempt).metadata or {}).get("templates") or {}
        if _WRITTEN not in written:
            words = f"{server} was not made from a template of this collection: its copies would keep its address"
            raise self._no(attempt, words, "take it from a server that was")

    def _body(self, server: str, source: Found) -> dict[str, Any]:
        # Of a copy on the same node Incus fills in whatever is not given from the source.
        config = {key: "" for key in source.config if key.startswith(MARK)}
        config |= {"boot.autostart": "false", ASIDE: self._alias}
        return {
            "name": self._copy,
            "type": "container",
            "config": config,
            "source": {
                "type": "copy",
                "source": server,
                "instance_only": True,
                "allow_inconsistent": not source.stopped,
            },
        }

    def _strip(self, attempt: str) -> None:
        identity.renew(self._client, self._copy, attempt)
        for path in _ONCE:
            identity.remove(self._client, self._copy, path, attempt)

    def _publish(self, server: str, source: Found, attempt: str, seconds: float) -> None:
        name, version = self._template.name, self._template.version
        body = {
            "source": {"type": "instance", "name": self._copy},
            "aliases": [{"name": self._alias, "description": f"Template {name}, version {version}"}],
            "public": False,
            # As those that are built: unpacking is what counts, and it is done each time.
            "compression_algorithm": "none",
            "properties": {
                "description": self._alias,
                "os": name,
                "architecture": str(source.raw.get("architecture", "")),
                "switchyard.template": name,
                "switchyard.version": version,
                "switchyard.fleet": self._fleet.name,
                "switchyard.from": server,
                # Incus adds what the server's own image says: it was built from a recipe, this was not.
                "switchyard.recipe": "",
            },
        }
        try:
            answer = self._client.send("POST", "/1.0/images", attempt, body)
            operation.wait(self._client, answer.operation, attempt, seconds, self._progress)
        except (operation.Gone, Refused) as error:
            if not doubtful(error) or not image.present(self._client, self._alias, attempt):
                raise

    def _clear(self, attempt: str) -> None:
        """No copy aside, ours or left by somebody who was cut off; what only has its name is not touched."""
        operation.settle(self._client, path_of(self._copy), attempt, self._fleet.limits.operation)
        try:
            found = self._client.get(path_of(self._copy), attempt).metadata
        except Missing:
            return
        if not (found.get("config") or {}).get(ASIDE):
            raise self._no(attempt, f"a guest {self._copy} is there that is not ours", "rename it, or remove it")
        answer = self._client.send("DELETE", path_of(self._copy), attempt)
        operation.wait(self._client, answer.operation, attempt, self._fleet.limits.operation)

    def _no(self, attempt: str, answer: str, hint: str) -> Refused:
        return Refused(self._client.node, attempt, answer, hint)
