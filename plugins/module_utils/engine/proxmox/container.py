# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared server as a container of Proxmox VE. Pure."""

from __future__ import annotations

import re
from typing import Any

from ...fleet.model import Fleet, Node, Server
from . import marks
from .config import Config, is_linked, mib, options_of, storage_of, volume_of, written
from .dialect import CARD, Dialect, cores
from .legs import legs, resolvers, searched

_OURS = ("name", "bridge", "hwaddr", "ip", "ip6", "gw", "gw6", "tag", "mtu", "type")
"""Options of a card that we have an opinion on; others (firewall, rate) stay."""
_SMALLEST = 4096
"""MiB of a disk nobody declared the size of."""


class Container(Dialect):
    """Containers: their addresses are in their configuration, and their own network files are written from it."""

    kind, word, command, name_key, migration = "lxc", "ct", "pct", "hostname", "vzmigrate"
    disks = re.compile(r"rootfs|mp[0-9]+")
    network = re.compile(r"net[0-9]+|nameserver|searchdomain")
    numbered = CARD

    def created(self, server: Server, node: Node, fleet: Fleet, vmid: int, archive: str) -> dict[str, Any]:
        """Parameters that create the server from an archive: whole, ours from its first moment, stopped."""
        body: dict[str, Any] = {
            "vmid": vmid,
            "hostname": server.name,
            "ostemplate": archive,
            # Gibibytes, in fractions: nothing else is taken here.
            "rootfs": f"{server.pool}:{_gibibytes(server.size.disk or _SMALLEST)}",
            "swap": 0,
            "unprivileged": 1,
            "features": "nesting=1",
            **self.limits(server, {}),
            **self.settings(server, node, fleet, {}),
            "tags": marks.write(marks.of_server(server, fleet)),
        }
        if server.resource_pool:
            body["pool"] = server.resource_pool
        if fleet.ssh_keys:
            body["ssh-public-keys"] = "\n".join(fleet.ssh_keys)
        return {key: value for key, value in body.items() if value != ""}

    def limits(self, server: Server, current: Config) -> dict[str, Any]:  # noqa: ARG002
        """See Dialect. Empty: no such limit."""
        whole, limit = cores(server)
        return {"cores": whole or "", "cpulimit": limit, "memory": server.size.memory or ""}

    def connected(self, server: Server, node: Node, fleet: Fleet, current: Config) -> dict[str, Any]:
        """See Dialect. net0 is eth0."""
        wanted: dict[str, Any] = {"nameserver": resolvers(server, fleet), **searched(server, fleet)}
        for leg in legs(server, node, fleet):
            key = f"net{leg.index}"
            old = self.card(str(current.get(key) or ""))
            kept = {name: text for name, text in old.items() if name not in _OURS}
            hardware = self.hardware(leg, old.get("hwaddr"), current)
            card = kept | {"name": f"eth{leg.index}", "hwaddr": hardware, "type": "veth"} | leg.link
            card |= {"mtu": str(leg.mtu)} if leg.mtu else {}
            wanted[key] = written(card | (leg.addresses or {"ip": "manual"}), "name")
        return wanted

    def born(self, server: Server, fleet: Fleet, current: Config) -> dict[str, Any]:  # noqa: ARG002
        """See Dialect."""
        return {"hostname": server.name, "swap": 0}

    def root(self, current: Config) -> tuple[str, int]:
        """See Dialect."""
        return "rootfs", mib(volume_of(current.get("rootfs") or "")[1].get("size", ""))

    def tie(self, current: Config, shared: set[str]) -> str:
        """See Dialect."""
        for key, volume, options in self.volumes(current):
            if volume.startswith("/") and options.get("shared") != "1":
                return f"its mount {key} is a directory of this node ({volume})"
            if is_linked(volume) and storage_of(volume) not in shared:
                return f"its {key} is a linked clone of a template's disk on this node ({volume})"
        for key in sorted(current):
            if re.fullmatch(r"dev[0-9]+", key):
                return f"its {key} is a device of this node ({volume_of(current[key])[0]})"
        return ""

    def card(self, text: str) -> dict[str, str]:
        """See Dialect."""
        return {name: each.upper() if name == "hwaddr" else each for name, each in options_of(text).items()}


def _gibibytes(mebibytes: int) -> str:
    """Exactly: what is rounded down becomes a disk that is a MiB short, and grows at the next run."""
    return f"{mebibytes / 1024:.10f}".rstrip("0").rstrip(".")


CONTAINER = Container()
