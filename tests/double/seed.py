# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new cluster starts with: its nodes, three storages, a template and an image."""

from __future__ import annotations

from .entries import Node, Storage
from .sizes import GIB, MIB
from .state import Cluster

TEMPLATE = "debian-13-standard_13.1-2_amd64.tar.zst"
ISO = "debian-13.1.0-amd64-netinst.iso"


def populate(cluster: Cluster, nodes: int) -> None:
    """Nodes pve1, pve2, ... and their storages."""
    for number in range(1, nodes + 1):
        since = cluster.clock.now() - 86400
        cluster.nodes[f"pve{number}"] = Node(f"pve{number}", number, f"10.66.0.{number}", since=since)
    everything = ["vztmpl", "iso", "images", "backup", "import", "rootdir", "snippets"]
    for storage in (
        Storage("local", "dir", everything[:], options={"path": "/var/lib/vz"}),
        Storage("local-zfs", "zfspool", ["images", "rootdir"], options={"pool": "rpool/data", "sparse": 1}),
        Storage(
            "shared", "dir", ["backup", "images", "iso", "vztmpl", "rootdir"], shared=True,
            options={"path": "/mnt/shared", "shared": 1, "preallocation": "off"},
        ),
    ):  # fmt: skip
        cluster.storages[storage.name] = storage
    for name in cluster.nodes:
        template(cluster, f"local:vztmpl/{TEMPLATE}", name)
        cluster.add_volume(f"local:iso/{ISO}", name, content="iso", format="iso", size=700 * MIB)
    template(cluster, f"shared:vztmpl/{TEMPLATE}", next(iter(cluster.nodes)))


def template(cluster: Cluster, volid: str, node: str) -> None:
    """An archive containers are made from."""
    suffix = "tgz" if volid.endswith(".gz") else "tzst"
    cluster.add_volume(volid, node, content="vztmpl", format=suffix, size=GIB // 8)
