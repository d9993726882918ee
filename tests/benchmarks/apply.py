# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating many tiny servers, beside `incus launch`; and what a run costs in which nothing has to change.

Run by `make bench NAME=apply [SERVERS=200] [ROUNDS=1]`, as root. It brings up a lab of its own (three nodes), and in
each round creates the same servers three times, each time from nothing: by the playbook's apply, by a sequential loop
of `incus launch`, and by `xargs -P 8` of the same. The peers launch from the same image, on the same nodes in turn,
over the same HTTPS API, with the same limits; they neither place, nor check, nor wait for anything to answer.

Keys of the last line: create_vs_loop, create_vs_xargs (our seconds over theirs), calls_20 and calls_200 (requests of
a converged run at 20 and at SERVERS servers), converged_s_200 (seconds of that run, ansible's start included).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import small_fleet
from support.lab import Lab

SERVERS = int(os.environ.get("SERVERS") or 200)
ROUNDS = int(os.environ.get("ROUNDS") or 1)
NODES = 3
FEW = 20


def main() -> None:
    """Bring the lab up, measure, take it down, print."""
    lab = Lab("bench", nodes=NODES)
    with lab, tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder) / "inventory"
        peer = Peer(lab, Path(folder))
        declare(inventory, 1)
        lab.playbook("site", inventory=inventory)
        rounds = [one_round(lab, peer, inventory) for _again in range(ROUNDS)]
        figures = {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}
    print(f"\n{SERVERS} servers on {NODES} nodes, {os.cpu_count()} cores, median of {ROUNDS}\n")
    print(f"{'apply':28}{figures['ours']:8.1f} s   placed, checked, each seen to answer")
    print(f"{'incus launch, one by one':28}{figures['loop']:8.1f} s")
    print(f"{'incus launch, xargs -P 8':28}{figures['xargs']:8.1f} s")
    print(
        f"{'converged run':28}{figures['converged_s']:8.1f} s   {figures['calls_many']:.0f} requests"
        f" (with {FEW} servers: {figures['calls_few']:.0f})\n"
    )
    print(
        json.dumps(
            {
                "create_vs_loop": round(figures["ours"] / figures["loop"], 3),
                "create_vs_xargs": round(figures["ours"] / figures["xargs"], 3),
                "calls_20": int(figures["calls_few"]),
                f"calls_{SERVERS}": int(figures["calls_many"]),
                f"converged_s_{SERVERS}": round(figures["converged_s"], 2),
            }
        )
    )


def one_round(lab: Lab, peer: Peer, inventory: Path) -> dict[str, float]:
    """Every contender from nothing, and the converged runs."""
    found: dict[str, float] = {}
    declare(inventory, FEW)
    apply(lab, inventory)
    found["calls_few"] = apply(lab, inventory)[1]
    peer.clear()
    declare(inventory, SERVERS)
    found["ours"], _calls = apply(lab, inventory)
    found["converged_s"], found["calls_many"] = apply(lab, inventory)
    peer.clear()
    found["loop"] = peer.launch(1)
    peer.clear()
    found["xargs"] = peer.launch(8)
    peer.clear()
    return found


def declare(inventory: Path, servers: int) -> None:
    """An inventory of so many servers."""
    nodes = [f"node{number}" for number in range(1, NODES + 1)]
    small_fleet.write(inventory, small_fleet.FLEET, nodes, {f"pbx{number:03}": {} for number in range(servers)})


def apply(lab: Lab, inventory: Path) -> tuple[float, int]:
    """Seconds of a whole apply playbook, and the requests it sent."""
    report = inventory.parent / "calls.json"
    began = time.monotonic()
    lab.playbook(Path(__file__).with_name("apply.yml"), inventory=inventory, extra={"report": str(report)})
    return time.monotonic() - began, int(report.read_text())


class Peer:
    """The incus client on this machine, with the lab's nodes as remotes."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.env = {**os.environ, "INCUS_CONF": str(folder / "client")}
        (folder / "client" / "servercerts").mkdir(parents=True)
        facts = lab.facts
        pki = Path(facts["pki"])
        self.remotes = list(facts["nodes"])
        self._pki, self._facts, self._folder = pki, facts, folder
        self._ready = False

    def _set_up(self) -> None:
        """Remotes and a profile that gives what our servers get: a card on the bridge, a root disk, limits."""
        if self._ready:
            return
        client = self._folder / "client"
        for name, target in (("controller.crt", "client.crt"), ("controller.key", "client.key")):
            (client / target).write_bytes((self._pki / name).read_bytes())
        for name in self.remotes:
            (client / "servercerts" / f"{name}.crt").write_bytes((self._pki / "nodes" / f"{name}.crt").read_bytes())
        remotes = "".join(
            f"  {name}:\n    addr: https://{self._facts['nodes'][name]['address']}:8443\n    auth_type: tls\n"
            "    protocol: incus\n    public: false\n"
            for name in self.remotes
        )
        (client / "config.yml").write_text(f"default-remote: {self.remotes[0]}\nremotes:\n{remotes}")
        for name in self.remotes:
            self._run("incus", "profile", "create", f"{name}:peer")
            self._run(
                "incus",
                "profile",
                "device",
                "add",
                f"{name}:peer",
                "root",
                "disk",
                "path=/",
                "pool=default",
                "size=64MiB",
            )
            self._run(
                "incus", "profile", "device", "add", f"{name}:peer", "eth0", "nic", "nictype=bridged", "parent=vmbr0"
            )
            self._run("incus", "profile", "set", f"{name}:peer", "limits.cpu=1", "limits.memory=32MiB")
        self._ready = True

    def launch(self, side_by_side: int) -> float:
        """Seconds to launch SERVERS guests on the nodes in turn, so many at a time."""
        self._set_up()
        lines = [f"{self.remotes[i % len(self.remotes)]} peer{i:03}" for i in range(SERVERS)]
        command = "incus launch -q -p peer $0:switchyard/tiny/1 $0:$1"
        began = time.monotonic()
        subprocess.run(
            ["xargs", "-n", "2", "-P", str(side_by_side), "sh", "-ec", command],
            input="\n".join(lines),
            text=True,
            check=True,
            env=self.env,
            stdout=subprocess.DEVNULL,
        )
        return time.monotonic() - began

    def clear(self) -> None:
        """No guest on any node."""
        self._set_up()
        listed = [
            f"{remote}:{name}"
            for remote in self.remotes
            for name in self._run("incus", "list", f"{remote}:", "-f", "csv", "-c", "n").split()
        ]
        delete = ["xargs", "-r", "-n", "10", "-P", "6", "incus", "delete", "-f"]
        subprocess.run(delete, input="\n".join(listed), text=True, check=True, env=self.env)

    def _run(self, *command: str) -> str:
        return subprocess.run(command, check=True, env=self.env, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
