# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a power cut to the last server answering; and what a replica's refresh costs.

Run by `make bench NAME=failover [CUTS=5] [SERVERS=12]`, as root. It brings up a lab of its own (three nodes), installs
Corosync and Pacemaker at the shipped defaults, and puts SERVERS tiny servers with a web page each on it, replicated
every ten seconds. Then the power of a node that carries servers is cut CUTS times: each server is asked for its page 20
times a second, and written to once a second. Between two cuts the node comes back, and the servers go home.

Keys of the last line: rto_s (seconds from each cut to the last of the dead node's servers answering) and rto_median_s;
detect_s (until the first of them was started elsewhere: the loss was noticed, the node fenced, its replicas promoted)
and start_s (from there to the last one's answer), medians; lost_writes (acknowledged before the last refresh, and gone:
has to be 0) and writes_since_refresh (acknowledged after it, and gone with the node: what an interval costs);
double_answers (answers of two copies of a server at once: has to be 0); refresh_s (MiB changed since the last refresh
-> seconds a refresh takes, median of 3).
"""

from __future__ import annotations

import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".collections"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.guarded import GuardedFleet
from support.lab import Lab
from support.watch import Watch, watched

SERVERS = int(os.environ.get("SERVERS") or 12)
CUTS = int(os.environ.get("CUTS") or 5)
CHANGED = (0, 1, 100)
"""MiB."""
NODES = 3


class Cut:
    """What one power cut cost."""

    def __init__(self, watch: Watch, victim: str) -> None:
        fleet = watch.fleet
        gone = fleet.of(victim)
        moment = watch.cut_power(victim)
        watch.all_answer(300)
        started = [when - moment for when in starts(fleet, gone)]
        self.node = victim
        self.servers = len(gone)
        self.rto = max(watch.prober.back(moment).values())
        self.detect = min(started)
        self.start = self.rto - self.detect


def starts(fleet: GuardedFleet, servers: Iterable[str]) -> list[float]:
    """When each of these was started last, as its node noted; seconds since the epoch."""
    wanted = set(servers)
    found = {
        guest["name"]: guest["last_used_at"]
        for node, guests in fleet.outside.guests().items()
        for guest in guests
        if guest["name"] in wanted and guest["status"] == "Running"
    }
    return [_seconds(moment) for moment in found.values()]


def _seconds(moment: str) -> float:
    """Incus' own notation, with nanoseconds."""
    whole, _dot, rest = moment.rstrip("Z").partition(".")
    read = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return read.timestamp() + float(f"0.{rest or 0}")


def refreshes(fleet: GuardedFleet) -> dict[str, float]:
    """MiB changed -> seconds a refresh of a replica of that server took, as its node notes."""
    copy = next(each for each in fleet.copies() if each.role == "replica")
    home = fleet.where()[copy.server]
    console = fleet.outside.console
    # Nobody else refreshes meanwhile.
    for node in fleet.nodes:
        console(node, "systemctl", "stop", "switchyard-replicas.timer")
    found = {}
    for mib in CHANGED:
        times = []
        for _again in range(3):
            if mib:
                write = f"dd if=/dev/urandom of=/srv/changed bs=1M count={mib} 2>/dev/null"
                console(home, "incus", "exec", copy.server, "--", "sh", "-c", write)
            console(copy.node, "switchyard-agent", "refresh", copy.server, timeout=300)
            mark = "user.switchyard.replica.took"
            times.append(float(console(copy.node, "incus", "config", "get", copy.server, mark)))
        found[str(mib)] = round(statistics.median(times), 2)
    for node in fleet.nodes:
        console(node, "systemctl", "start", "switchyard-replicas.timer")
    return found


def main() -> None:
    """Bring the lab up, measure, take it down, print."""
    lab = Lab("bench", nodes=NODES)
    with lab, tempfile.TemporaryDirectory() as folder:
        fleet = GuardedFleet(lab, Path(folder))
        nodes = {f"node{number}": {} for number in range(1, NODES + 1)}
        fleet.declare({f"pbx{number:02}": {} for number in range(1, SERVERS + 1)}, nodes)
        fleet.play("site")
        cuts: list[Cut] = []
        with watched(fleet, every=1.0) as watch:
            for number in range(CUTS):
                watch.kept_up()
                # Each node in turn, the coordinating one among them.
                cuts.append(Cut(watch, fleet.nodes[number % NODES]))
                fleet.outside.restore_power(cuts[-1].node)
                fleet.calm()
                fleet.sweep()
                fleet.play("failback", failback_hold=0)
                fleet.calm()
            lost = sum(len(numbers) for numbers in watch.lost().values())
            doubles = len(watch.prober.double_answers())
            dropped = watch.dropped()
        cost = refreshes(fleet)
    show(cuts, cost, lost, dropped, doubles)


def show(cuts: list[Cut], cost: dict[str, float], lost: int, dropped: int, doubles: int) -> None:
    """A table, and the line of JSON."""
    print(f"\n{SERVERS} servers on {NODES} nodes, {os.cpu_count()} cores, {len(cuts)} power cuts\n")
    print(f"{'cut':>4}  {'node':8}{'servers':>8}{'started':>10}{'last answers':>14}")
    for number, cut in enumerate(cuts, 1):
        print(f"{number:>4}  {cut.node:8}{cut.servers:>8}{cut.detect:>8.1f} s{cut.rto:>12.1f} s")
    print(
        "\nrefresh of a replica\n" + "\n".join(f"  {mib:>4} MiB changed  {took:6.2f} s" for mib, took in cost.items())
    )
    rto = [round(cut.rto, 2) for cut in cuts]
    figures = {
        "rto_s": rto,
        "rto_median_s": statistics.median(rto),
        "detect_s": round(statistics.median(cut.detect for cut in cuts), 2),
        "start_s": round(statistics.median(cut.start for cut in cuts), 2),
        "lost_writes": lost,
        "writes_since_refresh": dropped,
        "double_answers": doubles,
        "refresh_s": cost,
    }
    print(f"\n{json.dumps(figures)}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(str(error))
