# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark may be run on a real cluster: it removes what it made, and nothing else."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

from proxmox_cluster import Cluster

sys.path.insert(0, str(Path(__file__).parents[2]))

from double import Double


def test_only_what_the_benchmark_made_is_removed() -> None:
    with Double(nodes=2, latency=0.001, tls=True) as double:
        double.add_guest(100, "pve1", hostname="stranger", running=True)
        double.add_guest(101, "pve2", hostname="bench-0001", tags="sy+fleet+other", running=True)
        double.add_guest(102, "pve1", hostname="bench-0002", tags="sy+class+x;sy+fleet+bench", running=True)
        double.add_guest(910000, "pve2", hostname="peer-0000", tags="bench-peer", running=True)
        double.add_guest(910001, "pve1", hostname="somebody-elses")
        double.add_guest(910500, "pve1", hostname="peer-of-another-run", tags="bench-peer")
        places = {node: ("127.0.0.1", port) for node, port in zip(double.endpoints, double.ports, strict=True)}
        pems = {node: ssl.get_server_certificate(place) for node, place in places.items()}
        Cluster(places, pems, double.token).clear("bench", "bench-peer", range(910000, 910100))
        assert sorted(double.world.cluster.guests) == [100, 101, 910001, 910500]
        assert all(double.world.cluster.guests[vmid].running for vmid in (100, 101))
