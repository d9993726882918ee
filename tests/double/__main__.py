# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m double --nodes 3 --port 8006``: a cluster to try things on, until it is interrupted."""

from __future__ import annotations

import argparse
import json
import signal
import threading

from .double import Double


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="double", description="A double of Proxmox VE's API, one port for each node.")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--port", type=int, default=8006, help="of the first node; 0: any")
    parser.add_argument("--version", default="9.1", choices=["8.4", "9.1"], help="of Proxmox VE")
    parser.add_argument("--latency", type=float, default=1.0, help="share of the time things take on a real cluster")
    parser.add_argument("--unpacking", type=float, default=1.6, help="seconds a container's archive takes to unpack")
    parser.add_argument("--booting", type=float, default=3.8, help="seconds a container takes to start")
    parser.add_argument("--plain", action="store_true", help="HTTP instead of HTTPS")
    parser.add_argument("--json", action="store_true", help="say where it listens as one line of JSON")
    options = parser.parse_args()
    with Double(
        options.nodes, version=options.version, latency=options.latency, port=options.port, tls=not options.plain
    ) as double:
        cluster = double.world.cluster
        cluster.unpacking, cluster.booting = options.unpacking, options.booting
        about = {
            "endpoints": double.endpoints,
            "user": "root@pam",
            "password": double.password,
            "token": double.token,
            "fingerprint": double.fingerprint,
        }
        if options.json:
            print(json.dumps(about), flush=True)
        else:
            for node, address in double.endpoints.items():
                print(f"{node:12} {address}")
            for name in ("user", "password", "token", "fingerprint"):
                print(f"{name:12} {about[name]}")
            print(f"{'faults':12} {next(iter(double.endpoints.values()))}/double", flush=True)
        end = threading.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: end.set())
        end.wait()


if __name__ == "__main__":
    main()
