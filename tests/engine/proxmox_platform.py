# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double of a Proxmox VE cluster in this process, looked at and tampered with from behind.

The engine speaks to it over HTTPS, as to a real one. Nothing here goes through the engine's code: this is root on the
nodes' consoles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Network, Node, Template

from ..double import Double
from ..double.entries import Guest, Volume
from .bed import Bed
from .platform import FLEET

LATENCY = 0.003
"""Share of the time things take on a real cluster: an operation takes 10 to 30 ms."""
HEAVY = 1.0
"""The same while something is to take seconds."""
CIDR = "10.231.77.0/24"


@contextmanager
def running(pki: Path) -> Iterator[tuple[Bed, Proxmox]]:
    """A cluster of three nodes, and a PKI directory for it."""
    with Double(nodes=3, latency=LATENCY, tls=True) as double:
        (pki / "nodes").mkdir()
        (pki / "proxmox.token").write_text(f"{double.token}\n")
        assert double.certificate
        for node in double.world.cluster.nodes:
            (pki / "nodes" / f"{node}.crt").write_text(double.certificate.read_text())
        bed = Bed(
            engine="proxmox",
            nodes={
                node: Node(node, "127.0.0.1", port=port)
                for node, port in zip(double.world.cluster.nodes, double.ports, strict=True)
            },
            pki=str(pki),
            network=Network("contract", CIDR),
            addresses=tuple(str(address) for address in list(ip_network(CIDR).hosts())[19:39]),
            pool="local-zfs",
        )
        yield bed, Proxmox(bed, double)


class Proxmox:
    """The double's own state."""

    lacks: ClassVar[Mapping[str, str]] = {
        "ledger": "where guests are is in the cluster's own file system, on every node that has a vote",
        "lock per node": "the lock is in the cluster's own file system, not on each node",
        "api per node": "every node's API speaks for the whole cluster: one that cannot be reached is no node less",
        "copied templates": "the API copies no archive from node to node",
        "addresses of strangers": "lists do not tell them, and a request per guest would be one too many",
        "mended creation": "no call of the API takes the lock off a creation that was cut off; a person has to",
        "leftover copies": "there is one configuration of a guest in the whole cluster: a move leaves no second copy",
        "copies while it runs": "a container is shut down before its disks are sent",
        "disks of one node": "a storage may be every node's, and a move copies what is not",
        "names per node": "guests are known by their numbers: two may bear one name, on one node too",
        "bridges per node": "a guest takes the name of its bridge along, whatever is declared of its new node",
        "network inside": "the double's guests run no programs and have no network",
        "full storage": "the double's storages never fill up",
        "generations": "there is never a second copy that could be older",
        "servers in files": "the API hands out no backup and takes none in",
        "fixed number of requests": "the end of a task is polled for as long as it takes",
    }
    identity: ClassVar[tuple[str, ...]] = ("proxmox.token",)
    writes: ClassVar[int] = 1
    promotes: ClassVar[int] = 1

    def __init__(self, bed: Bed, double: Double) -> None:
        self.bed = bed
        self.double = double
        self.cluster = double.world.cluster

    # ---- guests

    def stranger(self, node: str, name: str, *, cores: int = 1, memory: int = 64, address: str = "") -> None:
        """A guest nobody marked."""
        card = {"net0": f"name=eth0,bridge=vmbr0,ip={address}/24,type=veth"} if address else {}
        number = max((*self.cluster.guests, 99)) + 1
        with self.double._ready:
            self.double.add_guest(number, node, disk="", name=name, cores=cores, memory=memory, **card)

    def guest(self, node: str, name: str) -> dict[str, Any] | None:
        """All there is to know of a guest."""
        found = self._guest(node, name)
        if found is None:
            return None
        return {
            "status": "Running" if found.running else "Stopped",
            "config": dict(found.config),
            "vmid": found.vmid,
            "since": found.since,
            "pending": dict(found.pending),
            "same": {"config": dict(found.config), "vmid": found.vmid},
        }

    def running(self, name: str) -> tuple[str, ...]:
        """Nodes a server runs on, at one moment."""
        with self.double._ready:
            there = [each for each in self.cluster.guests.values() if each.name == name and each.running]
        return tuple(sorted(each.node for each in there))

    def settle(self) -> None:
        """Nothing goes on any more: the cluster ends what it was asked for, whoever asked."""
        self.double.settle()

    def names(self, node: str) -> set[str]:
        """Guests on a node."""
        return {guest.name for guest in list(self.cluster.guests.values()) if guest.node == node}

    def hardware(self, node: str, name: str) -> set[str]:
        """Hardware addresses of a guest's cards."""
        cards = (value for key, value in self._there(node, name).config.items() if key.startswith("net"))
        return {address for card in cards for address in re.findall(r"[0-9A-F]{2}(?::[0-9A-F]{2}){5}", card)}

    def freeze(self, node: str, name: str) -> None:
        """The guest does not hear a shutdown any more."""
        self._there(node, name).deaf = True

    def write(self, node: str, name: str, path: str, text: str, owner: int = 0) -> None:
        """A file in a guest, whether it runs or not: on its disk."""
        assert not owner, "files of the double have no owners"
        self._disk(node, name).files[path] = text

    def read(self, node: str, name: str, path: str) -> str:
        """What a file in a guest says; empty if it is not there."""
        return self._disk(node, name).files.get(path, "")

    def owner(self, node: str, name: str, path: str) -> int:
        """Files of the double have no owners."""
        raise NotImplementedError

    def mark(self, node: str, name: str, **marks: str) -> None:
        """Replicas and the HA manager have places of their own here."""
        raise NotImplementedError

    def leftovers(self, node: str, name: str) -> list[str]:
        """Nothing is packed."""
        return []

    def full_backups(self, node: str) -> AbstractContextManager[None]:
        """Nothing is packed."""
        raise NotImplementedError

    def snapshot(self, node: str, name: str, snapshot: str) -> None:
        """The guest as it is now, kept."""
        guest = self._there(node, name)
        upid = self.double.ask("POST", f"/nodes/{node}/lxc/{guest.vmid}/snapshot", snapname=snapshot).data
        assert self.double.wait(upid) == "OK"

    def snapshots(self, node: str, name: str) -> list[str]:
        """Names of what was kept."""
        return list(self._there(node, name).snapshots)

    def tie(self, node: str, name: str) -> None:
        """Give a guest a directory of its node."""
        self._there(node, name).config["mp0"] = "/var/tmp,mp=/mnt"

    def power(self, node: str, name: str, action: str) -> None:
        """Start or stop a guest, as somebody at the console does."""
        upid = self.double.ask("POST", f"/nodes/{node}/lxc/{self._there(node, name).vmid}/status/{action}").data
        assert self.double.wait(upid) == "OK"

    # ---- nodes

    def image(self, node: str, template: Template, content: bytes) -> None:
        """An archive under a template's name, unless it is there."""
        volid = f"local:vztmpl/{template.name}_{template.version}_amd64.tar.zst"
        if self.cluster.volume(volid, node) is None:
            self.cluster.add_volume(volid, node, content="vztmpl", format="tzst", size=len(content))

    def drop_image(self, node: str, template: Template) -> None:
        """The archive, gone."""
        self.cluster.drop_volume(f"local:vztmpl/{template.name}_{template.version}_amd64.tar.zst", node)

    def pool(self, node: str, name: str, path: str) -> None:
        """A storage that all nodes have."""
        self.double.add_storage(name)

    def drop_pool(self, node: str, name: str) -> None:
        """The storage, gone."""
        self.clean()
        self.cluster.storages.pop(name, None)

    def dead(self, *nodes: str) -> dict[str, Node]:
        """Cut the power of these nodes until the test is over. A fleet need not be told: the cluster knows."""
        for node in nodes:
            self.crash(node)
        return {}

    def crash(self, node: str) -> None:
        """A node's power is cut."""
        with self.double._ready:
            self.double.faults.kill(node)

    def revive(self, node: str) -> None:
        """It is there again."""
        with self.double._ready:
            self.double.faults.revive(node)

    def power_cut(self, node: str, *guests: str) -> None:
        """What ran on the node runs no more."""
        self.crash(node)

    def impostor(self, pki: Path) -> None:
        """A secret that was never given out."""
        token = (pki / "proxmox.token").read_text().partition("=")[0]
        (pki / "proxmox.token").write_text(f"{token}=00000000-0000-4000-8000-00000000beef\n")

    def agents(self) -> None:
        """Replication and HA are Proxmox VE's own."""

    def slow(self) -> None:
        """Whatever is done takes seconds, until the test is over."""
        self.double.world.clock.latency = HEAVY

    def clean(self, *, images: bool = False) -> None:
        """No trace of any test."""
        self.double.world.clock.latency = LATENCY
        self.double.faults.clear()
        for name, node in self.cluster.nodes.items():
            if not node.online:
                self.revive(name)
        self.double.settle()
        with self.double._ready:
            self.cluster.quorum_lost = False
            world = self.double.world
            for kept in (world.replicator.jobs, world.ha.resources, world.ha.services, world.ha.rules):
                kept.clear()
            for number in [*self.cluster.guests]:
                guest = self.cluster.guests.pop(number)
                for key in [key for key, volume in self.cluster.volumes.items() if volume.vmid == guest.vmid]:
                    del self.cluster.volumes[key]
            for pool in [name for name in self.cluster.pools if name.startswith("switchyard-")]:
                del self.cluster.pools[pool]
            if images:
                for key in [key for key in self.cluster.volumes if f"/{FLEET}-" in key[1]]:
                    del self.cluster.volumes[key]

    # ---- inside

    def _guest(self, node: str, name: str) -> Guest | None:
        found = [each for each in list(self.cluster.guests.values()) if each.name == name and each.node == node]
        assert len(found) < 2, found
        return found[0] if found else None

    def _there(self, node: str, name: str) -> Guest:
        found = self._guest(node, name)
        assert found is not None, f"no {name} on {node}"
        return found

    def _disk(self, node: str, name: str) -> Volume:
        found = self._there(node, name)
        volume = self.cluster.volume(found.config["rootfs"].partition(",")[0], node)
        assert volume is not None, f"the disk of {name} is not on {node}"
        return volume
