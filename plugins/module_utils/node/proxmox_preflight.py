# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May a machine become a Proxmox VE node, or is it one? Facts and needs in, a list of what is wrong out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .facts import NodeFacts
from .preflight import Unfit, judge_machine, judge_name

RELEASES = {"12": 8, "13": 9}
"""Version of Debian -> version of Proxmox VE that is installed on it."""
PORTS = {8006: "pveproxy", 3128: "spiceproxy"}
"""What has to be free, or Proxmox VE's own."""
IN_THE_WAY: dict[str, str] = {
    "incus": "another hypervisor",
    "incus-base": "another hypervisor",
    "lxd": "another hypervisor",
    "libvirt-daemon": "another hypervisor",
    "xen-hypervisor-common": "another hypervisor",
    "docker.io": "containers beside Proxmox VE's, which change its firewall",
    "docker-ce": "containers beside Proxmox VE's, which change its firewall",
    "network-manager": "it fights over the network with ifupdown2",
    "netplan.io": "it fights over the network with ifupdown2",
}
"""Packages nobody but the operator may remove, and why they cannot stay."""


@dataclass(frozen=True, slots=True)
class ProxmoxFacts:
    """A machine. ``listeners`` are strangers on the ports, by port."""

    node: NodeFacts
    version: str
    """Of pve-manager; empty: not installed."""
    kernel: str
    """The one that runs."""
    listeners: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ProxmoxNeeds:
    """What is asked of it. Memory and disk are MiB; ``name`` is what the inventory calls it."""

    name: str
    address: str
    cores: int
    memory: int
    disk: int


def judge(facts: ProxmoxFacts, needs: ProxmoxNeeds) -> list[Unfit]:
    """Everything that is wrong, in the order an operator would look."""
    return [
        *judge_machine(facts.node, needs.cores, needs.memory),
        *_system(facts, needs),
        *_name(facts, needs),
        *_others(facts),
    ]


def _system(facts: ProxmoxFacts, needs: ProxmoxNeeds) -> Iterator[Unfit]:
    node = facts.node
    if not node.root:
        yield Unfit("root", "an ordinary user", "root, or become: true with sudo")
    release = RELEASES.get(node.version) if node.distribution == "debian" else None
    if release is None:
        found = " ".join(filter(None, (node.distribution, node.version))) or "unknown"
        yield Unfit("release", found, "Debian 13 (for Proxmox VE 9) or Debian 12 (for Proxmox VE 8)")
    elif facts.version and not facts.version.startswith(f"{release}."):
        found = f"Proxmox VE {facts.version} on Debian {node.version}"
        yield Unfit("release", found, f"an upgrade to {release} brought to its end")
    for missing in sorted({"ip", "ss", "apt-get", "systemctl"} - node.commands):
        yield Unfit("command", f"no {missing}", "iproute2, apt and systemd installed")
    if not facts.version and node.disk_free < needs.disk:
        yield Unfit("disk", f"{node.disk_free} MiB free", f"{needs.disk} MiB or more for Proxmox VE and its kernel")


def _name(facts: ProxmoxFacts, needs: ProxmoxNeeds) -> Iterator[Unfit]:
    node = facts.node
    yield from judge_name(node, needs.address)
    short = node.hostname.partition(".")[0]
    if short != needs.name:
        # Whoever has been a node for a while cannot be renamed; the inventory can.
        advice = "its name in the inventory has to be its host name" if facts.version else needs.name
        yield Unfit("name", f"its host name is {short}", advice)


def _others(facts: ProxmoxFacts) -> Iterator[Unfit]:
    for package in facts.node.packages:
        if package in IN_THE_WAY:
            yield Unfit("package", package, f"removed: {IN_THE_WAY[package]}")
    for port, listener in facts.listeners:
        yield Unfit("port", f"{port}/tcp is taken by {listener}", f"a port free for {PORTS[port]}")


def own_kernel(release: str) -> bool:
    """Whether a kernel is Proxmox VE's: ``6.14.8-2-pve``."""
    return release.endswith("-pve")
