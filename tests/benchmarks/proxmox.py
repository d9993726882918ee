# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers on Proxmox VE: brought up, and a run in which nothing has to change, beside community.proxmox in a loop.

Run by `make bench NAME=proxmox [SERVERS=100] [...]`. Against the double, with the times a real cluster takes, unless
HOST is given. Who is compared, all in one run, each beginning with an empty cluster: the apply action of this
collection; the module community.proxmox.proxmox in a `loop` (one task after the other); with a host for each container
and `forks` at its default of 5; and in a loop with `async`. All create the same containers on the same nodes in turn
(but ours, which are placed) and start them.

Options, as variables of make or of the environment:

SERVERS=100       containers
WAYS=loop,hosts,async      the peers to run
FEW=20 MANY=200   sizes of fleet for which the calls of a converged run are counted
DOUBLE_NODES=3    nodes of the double
UNPACKING=1.6     seconds the double unpacks an archive: a create then takes 2.4 s (recorded of 9.1.9: median 2.37 s)
BOOTING=3.8       seconds a container takes to start there (recorded: median 4 s)
LATENCY=1         share of all of the double's times; 1 is what was recorded
CONCURRENCY=4     steps of ours on a node at once (node_concurrency)
HOST=1 NODES=pve1=192.0.2.11,pve2=192.0.2.12 PORT=8006 TOKEN_FILE=token      a real cluster instead
STORAGE=local-zfs TEMPLATE=local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst BRIDGE=vmbr0
NETWORK=2001:db8:5::/112   where their addresses come from; one of IPv4 will do. The default is one for documentation,
                  where nobody answers: ours are tried on the network before they are given away
FIRST_VMID=910000 the first number the peers use; ours take the lowest free ones of the cluster's range

On a real cluster only guests with the mark of fleet switchyard-bench, or with the tag switchyard-bench-peer in that
range of numbers, are removed, before and after each contender.

Keys of the last line: create_speedup and converged_speedup (seconds of the loop over ours), the same beside the other
ways as create_speedup_hosts and so on, calls_FEW and calls_MANY of a converged run of ours, seconds_* and calls_* of
everybody, and double_cpu: the greatest share of one core the double took while anybody worked.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))

import proxmox_cluster
from proxmox_cluster import Cluster
from proxmox_peer import ROOT, TAG, Peer

FLEET = "switchyard-bench"


def option(name: str, default: str) -> str:
    """What make or the environment says."""
    return os.environ.get(name) or default


SERVERS = int(option("SERVERS", "100"))
FEW, MANY = int(option("FEW", "20")), int(option("MANY", "200"))
WAYS = [way for way in option("WAYS", "loop,hosts,async").split(",") if way]
NETWORK = ipaddress.ip_network(option("NETWORK", "2001:db8:5::/112"))
TEMPLATE = option("TEMPLATE", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst")
STORAGE, BRIDGE = option("STORAGE", "local-zfs"), option("BRIDGE", "vmbr0")
FIRST_VMID = int(option("FIRST_VMID", "910000"))
SIX = "ip6" if NETWORK.version == 6 else "ip"
CORES, MEMORY, DISK = 1, 128, 1024


class Bench:
    """What was measured, in the order it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int | None] = {}
        self.cpu: dict[str, float] = {}
        self.peer = Peer(
            folder,
            {
                "ostemplate": TEMPLATE,
                "disk": f"{STORAGE}:{DISK / 1024:g}",
                "cores": CORES,
                "memory": MEMORY,
                "swap": 0,
                "netif": f"name=eth0,bridge={BRIDGE},{SIX}=ADDRESS/{NETWORK.prefixlen},type=veth",
                "unprivileged": True,
                "timeout": 600,
            },
        )

    def measure(self, what: str, cluster: Cluster, work: Callable[[], object]) -> None:
        """Seconds, requests and the double's CPU time while something is done."""
        calls, cpu, began = cluster.calls(), cluster.cpu(), time.monotonic()
        work()
        self.seconds[what] = time.monotonic() - began
        self.cpu[what] = (cluster.cpu() - cpu) / self.seconds[what]
        after = cluster.calls()
        self.calls[what] = None if after is None or calls is None else after - calls
        print(f"  {what:24}{self.seconds[what]:9.1f} s  {self.calls[what]} requests", flush=True)

    # ---- contenders

    def ours(self) -> None:
        """From nothing, and again; and where the time of the second run goes."""
        with Fresh() as cluster:
            inventory = self.declare(cluster, SERVERS)
            self.measure("create_ours", cluster, lambda: self.apply(inventory))
            settle()
            self.measure("converged_ours", cluster, lambda: self.apply(inventory))
            for name, command in (
                ("start of ansible-playbook", ["--version"]),
                ("a play of nothing", ["-i", str(inventory), str(self.nothing())]),
            ):
                began = time.monotonic()
                playbook(command)
                self.seconds[name] = time.monotonic() - began

    def theirs(self, way: Any) -> None:
        """The same, by the module."""
        with Fresh() as cluster:
            names, hosts = list(cluster.nodes), islice(NETWORK.hosts(), 1000, None)
            guests = [
                {"name": f"peer-{i:04}", "vmid": FIRST_VMID + i, "node": names[i % len(names)], "address": str(address)}
                for i, address in zip(range(SERVERS), hosts, strict=False)
            ]
            self.measure(f"create_{way}", cluster, lambda: self.peer.converge(cluster, guests, way))
            settle()
            self.measure(f"converged_{way}", cluster, lambda: self.peer.converge(cluster, guests, way))

    def counted(self) -> None:
        """Requests of a converged run, by size of fleet. How fast it gets there is of no account here."""
        with Fresh(hurried=True) as cluster:
            for size in (FEW, MANY):
                inventory = self.declare(cluster, size)
                self.apply(inventory)
                settle()
                before = cluster.calls()
                told = self.apply(inventory)
                after = cluster.calls()
                self.calls[f"calls_{size}"] = told if before is None or after is None else after - before

    # ---- ours

    def declare(self, cluster: Cluster, servers: int) -> Path:
        """An inventory of so many servers."""
        volume, _version, rest = TEMPLATE.rpartition("/")[2].partition("_")
        folder = self.folder / "inventory"
        (folder / "pki").mkdir(parents=True, exist_ok=True)
        (folder / "pki" / "proxmox.token").write_text(cluster.token)
        fleet = {
            "fleet_name": FLEET,
            "fleet_engine": "proxmox",
            "fleet_pki_dir": str(folder / "pki"),
            "fleet_networks": {
                "lan": {
                    "cidr": str(NETWORK),
                    "bridge": BRIDGE,
                    "reserved": f"{NETWORK[0]}-{NETWORK[999]}",
                }
            },
            "fleet_templates": {volume: {"version": rest.partition("_")[0]}},
            "fleet_classes": {
                "bench": {"cores": CORES, "memory": f"{MEMORY}MiB", "disk": f"{DISK}MiB", "pool": STORAGE}
            },
            "fleet_overcommit": {"cores": 100},
        }
        nodes = {
            name: {
                "node_address": address,
                "node_port": port,
                "node_fingerprint": cluster.fingerprints[name],
                "node_concurrency": int(option("CONCURRENCY", "4")),
            }
            for name, (address, port) in cluster.nodes.items()
        }
        names = {f"bench-{number:04}": {"vs_class": "bench"} for number in range(servers)}
        groups = {"nodes": {"hosts": nodes}, "virtual_servers": {"hosts": names}}
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": fleet, "children": groups}}))
        return folder / "hosts.yml"

    def apply(self, inventory: Path) -> int:
        """One run; the requests it sent."""
        trace = self.folder / "trace"
        trace.write_text("")
        playbook(["-i", str(inventory), str(self._play("apply", {"switchyard.fleet.apply": {}}))], trace)
        return len(trace.read_text().splitlines())

    def nothing(self) -> Path:
        """A play of one task that does nothing: what any run on this inventory costs."""
        return self._play("nothing", {"ansible.builtin.debug": {"msg": "-"}})

    def _play(self, name: str, task: dict[str, Any]) -> Path:
        book = self.folder / f"{name}.yml"
        book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        return book


class Fresh:
    """An empty cluster: a new double, or the real one without what the bench made."""

    def __init__(self, *, hurried: bool = False) -> None:
        pace = {"latency": 0.05 if hurried else float(option("LATENCY", "1"))}
        pace |= {"unpacking": float(option("UNPACKING", "1.6")), "booting": float(option("BOOTING", "3.8"))}
        if os.environ.get("HOST"):
            nodes = option("NODES", "").split(",")
            self._cluster = proxmox_cluster.real(nodes, int(option("PORT", "8006")), option("TOKEN_FILE", "token"))
        else:
            self._cluster = proxmox_cluster.double(int(option("DOUBLE_NODES", "3")), pace)

    def __enter__(self) -> Cluster:
        self._clear()
        return self._cluster

    def __exit__(self, *_error: object) -> None:
        self._clear()
        self._cluster.close()

    def _clear(self) -> None:
        if not self._cluster.process:
            self._cluster.clear(FLEET, TAG, range(FIRST_VMID, FIRST_VMID + SERVERS))


def playbook(arguments: list[str], trace: Path | None = None) -> None:
    """ansible-playbook of this checkout, to its end; the requests it sends are written to ``trace``."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *arguments]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    if trace:
        env["SWITCHYARD_TRACE"] = str(trace)
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}{done.stderr}")


def settle() -> None:
    """Lists of a cluster are some seconds old; who has just been made is asked after one by one until they are not."""
    time.sleep(15 * float(option("LATENCY", "1")))


def show(bench: Bench) -> None:
    """A table, and the line of JSON."""
    s = bench.seconds
    whose = "a real cluster" if os.environ.get("HOST") else f"the double, latency {option('LATENCY', '1')}"
    print(f"\n{SERVERS} containers, {whose}, {os.cpu_count()} cores here\n")
    print(f"{'':28}{'create':>10}{'requests':>10}{'converged':>11}{'requests':>10}")
    for name in ("ours", *WAYS):
        create, again = f"create_{name}", f"converged_{name}"
        row = f"{s[create]:8.1f} s{bench.calls[create] or '-':>10}{s[again]:9.1f} s{bench.calls[again] or '-':>10}"
        print(f"{'apply' if name == 'ours' else f'community.proxmox, {name}':28}{row}")
    start, idle = s["start of ansible-playbook"], s["a play of nothing"]
    print(
        f"\nOf our converged run's {s['converged_ours']:.1f} s: {start:.1f} s are Python's and Ansible's start "
        f"(--version), {idle - start:.1f} s inventory and a task of nothing, {s['converged_ours'] - idle:.1f} s "
        "our own.\n"
    )
    figures: dict[str, Any] = {}
    for way in WAYS:
        suffix = "" if way == "loop" else f"_{way}"
        for what in ("create", "converged"):
            figures[f"{what}_speedup{suffix}"] = round(s[f"{what}_{way}"] / s[f"{what}_ours"], 2)
    figures |= {f"calls_{size}": bench.calls[f"calls_{size}"] for size in (FEW, MANY)}
    figures |= {f"seconds_{name.replace(' ', '_')}": round(value, 2) for name, value in s.items()}
    figures |= {f"calls_{name}": value for name, value in bench.calls.items() if not name.startswith("calls_")}
    figures["double_cpu"] = round(max(bench.cpu.values()), 3)
    print(json.dumps(figures))


def main() -> None:
    """Measure everybody, print."""
    print(Peer.install(), flush=True)
    # Told to end, it takes the double and the playbooks with it.
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="bench-proxmox-"))
    try:
        bench = Bench(folder)
        bench.counted()
        bench.ours()
        for way in WAYS:
            bench.theirs(way)
        show(bench)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
