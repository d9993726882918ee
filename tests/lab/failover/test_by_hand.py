# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failover by hand, home again, and drills, on real nodes without a cluster: what a person runs, and what it refuses.

Servers here have vs_failover: manual: nobody but these playbooks starts anything elsewhere.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.copies import not_once, refreshed
from support.disturb import begun, kill
from support.documents import Desk, told
from support.guarded import GuardedFleet, until
from support.lab import Lab
from support.playbooks import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.long]

AGENT = ROOT / "roles" / "failover" / "files" / "fence_switchyard_lab"
SERVERS = [f"pbx{number:02}" for number in range(1, 7)]
FENCE = {"agent": "fence_switchyard_lab", "parameters": {"ip": "{{ lab_gateway }}", "plug": "{{ inventory_hostname }}"}}
SOON = 120
"""Seconds after which everything that goes on by itself has come to rest, on a busy machine."""


class ByHand(GuardedFleet):
    """A fleet that a person looks after."""

    usual: Mapping[str, str] = {}
    """Server -> its home."""

    def arrange(self, **fleet: Any) -> None:
        """Two servers per node, each replicated to another."""
        self.fleet |= fleet
        servers = {name: {"vs_failover": "manual"} for name in SERVERS}
        self.declare(servers, {node: {} for node in self.nodes})

    def well(self) -> list[str]:
        """Everybody runs once, with a complete replica; empty: so it is."""
        found = self.copies()
        complete = {each.server for each in found if each.role == "replica" and each.refreshed and not each.aside}
        return not_once(found, SERVERS) + [
            f"{name} has no complete replica" for name in SERVERS if name not in complete
        ]

    def rest(self) -> None:
        """Wait until it is."""
        until(lambda: not self.well(), SOON, self.well, pause=1)

    def back(self, *nodes: str) -> None:
        """They have power again, have booted, and everybody has replicas."""
        self.outside.restore_power(*nodes)
        for node in nodes:
            until(lambda node=node: self.outside.console(node, "incus", "list", check=False, timeout=90), SOON)
        self.rest()

    def home(self) -> None:
        """Everybody at home again, as every test finds it; whatever was put aside is thrown away."""
        self.rest()
        self.sweep()
        if self.where() != self.usual:
            self.play("failback", failback_hold=0)
            self.rest()


@pytest.fixture(scope="module")
def hand(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    hand = ByHand(lab, tmp_path_factory.mktemp("byhand"), node_fence=FENCE)
    for node in hand.nodes:
        subprocess.run(
            [
                *lab.ssh_to(node),
                "cat >/usr/sbin/fence_switchyard_lab && chmod 755 /usr/sbin/fence_switchyard_lab",
            ],
            stdin=AGENT.open(),
            check=True,
        )
    hand.arrange()
    hand.play("site")
    hand.rest()
    hand.usual = hand.where()
    yield hand
    hand.declare({}, {node: {} for node in hand.nodes})
    hand.play(Path(__file__).parents[1] / "apply.yml", apply_prune=["all"])
    hand.sweep()


@pytest.fixture
def day(hand: ByHand) -> Iterator[ByHand]:
    """An ordinary day, before and after."""
    hand.arrange(node_fence=FENCE)
    yield hand
    hand.back(*set(hand.nodes) - hand.outside.powered())
    hand.home()


def write(hand: ByHand, server: str, text: str) -> None:
    """A customer's data."""
    node = hand.where()[server]
    hand.outside.console(node, "incus", "exec", server, "--", "sh", "-c", f"echo {text} >/root/data; sync")


def read(hand: ByHand, server: str) -> str:
    return hand.outside.console(hand.where()[server], "incus", "exec", server, "--", "cat", "/root/data").strip()


def keep_writing(hand: ByHand, server: str, mib: int) -> None:
    """A customer who writes as much every second, for as long as the server runs."""
    write = f"dd if=/dev/urandom of=/root/busy bs=1M count={mib}"
    line = f"(while sleep 1; do {write}; done) </dev/null >/dev/null 2>&1 &"
    hand.outside.console(hand.where()[server], "incus", "exec", server, "--", "sh", "-c", line)


def changing(hand: ByHand, server: str, backup: str) -> float:
    """MiB the replica's node sees to be written from refresh to refresh; 0: it has not seen it yet."""
    hand.outside.console(backup, "systemctl", "start", "switchyard-changing.service")
    told = hand.outside.console(backup, "incus", "config", "get", server, "user.switchyard.replica.changing")
    return float((told.split() or ["0"])[0])


def one_error(output: str) -> str:
    errors = [line for line in output.splitlines() if "[ERROR]" in line]
    assert len(errors) == 1, output
    assert "Traceback" not in output
    return output


# ---------------------------------------------------------------- a node dies


def test_a_dead_nodes_servers_run_where_the_paper_said_with_their_data_and_go_home_again(
    day: ByHand, tmp_path: Path
) -> None:
    node, where, paper = day.busiest(), day.where(), tmp_path / "drill.json"
    lost = day.of(node)
    assert re.search(r"dies +carries +start again", day.play("drill", drill_save=str(paper)))
    drills = json.loads(paper.read_text())
    assert {each["lost"] for each in drills} == set(where.values())
    assert {r["server"]: r["node"] for each in drills for r in each["revivals"]} == where
    assert all(r["age"] < SOON for each in drills for r in each["revivals"])
    assert day.where() == where
    someone = min(lost)
    write(day, someone, "kept")
    keep_writing(day, someone, 3)
    moment = time.time()
    until(lambda: refreshed(day.copies())[someone] > moment, SOON, day.copies, pause=1)
    backup = next(each.node for each in day.copies() if each.server == someone and each.role == "replica")
    until(lambda: changing(day, someone, backup) >= 3, SOON, lambda: changing(day, someone, backup))
    day.outside.cut_power(node)
    # What it would do, and nothing of it done.
    foretold = day.play("failover", "--check", failover_nodes=node)
    assert f"{len(lost)} to promote, {len(lost)} to start" in foretold
    assert "was not seen off" in foretold
    assert re.search(r"data \d+ s old, about \d+ MiB lost", foretold)
    assert re.search(rf"is lost: .*; about \d+ MiB in all, \d+ MiB at most \({someone}\)", foretold)
    assert {each.server for each in day.copies() if each.running} == set(SERVERS) - lost
    done = day.play("failover", failover_nodes=node)
    assert f"promote {someone}" in done
    assert not not_once(day.copies(), SERVERS)
    (told,) = [each for each in drills if each["lost"] == node]
    now = day.where()
    assert {r["server"]: r["to"] for r in told["revivals"]} == {name: now[name] for name in lost}
    assert read(day, someone) == "kept"
    assert changed(day.play("failover", failover_nodes=node)) == 0
    # Its copies are stale when it comes back: put aside, and replicas again.
    day.back(node)
    assert {each.aside for each in day.copies() if each.node == node} >= lost
    refused = one_error(day.play("failback", check=False, failback_hold=86400))
    assert re.search(rf"{node}: came up \d+ s ago, and has to be up for 86400 s first", refused)
    day.sweep()
    output = day.play("failback", failback_hold=0)
    assert day.of(node) == lost
    assert read(day, someone) == "kept"
    assert len(re.findall(r"move pbx\d+ \S+ → " + node + " … ok", output)) == len(lost)
    day.rest()
    assert changed(day.play("failback", failback_hold=0)) == 0


def changed(output: str) -> int:
    return sum(int(count) for count in re.findall(r"changed=(\d+)", output))


def test_what_only_does_not_answer_is_not_taken_for_dead(day: ByHand) -> None:
    node = day.busiest()
    lost = day.of(node)
    assert "answers, so it is alive" in one_error(
        day.play("failover", check=False, failover_nodes=node, failover_dead=node, failover_sure=node)
    )
    assert day.of(node) == lost
    day.outside.cut_power(node)
    # Nothing cuts its power: a person has to say so, twice.
    day.arrange(node_fence={"agent": "fence_nobody", "parameters": {}})
    said = day.play("failover", check=False, failover_nodes=node)
    assert "fence_nobody is not installed here" in said
    assert f"-e failover_dead={node} -e failover_sure={node}" in said
    once = day.play("failover", check=False, failover_nodes=node, failover_dead=node)
    assert f"told a second time, with failover_sure={node}, that is believed" in once
    assert {each.server for each in day.copies() if each.running} == set(SERVERS) - lost, "nothing was started"
    day.play("failover", failover_nodes=node, failover_dead=node, failover_sure=node)
    assert not not_once(day.copies(), SERVERS)


WRONG = {
    "an unknown node": ({"failover_nodes": "node7"}, "node7"),
    "no node": ({}, "names no node"),
    "dead, and not meant": ({"failover_nodes": "node1", "failover_dead": "node2"}, "none of the nodes to fail over"),
    "an unknown failure domain": ({"failover_failure_domain": "rack9"}, "rack9"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wish_that_makes_no_sense_is_one_clear_error(hand: ByHand, wrong: str) -> None:
    options, words = WRONG[wrong]
    assert words in one_error(hand.play("failover", check=False, **options))


# ---------------------------------------------------------------- cut off half way


def test_what_was_killed_is_simply_run_again(day: ByHand) -> None:
    node = day.busiest()
    lost = day.of(node)
    first, *others = sorted(lost)
    day.servers[first] |= {"vs_start_order": 10, "vs_start_delay": "10s"}
    day.write()
    day.outside.cut_power(node)
    for moment in ("Cut the power", f"start {first} .* ok"):
        process, _seen = begun(day, "failover", moment, failover_nodes=node)
        kill(process, day.inventory)
    assert {each.server for each in day.copies() if each.running} == set(SERVERS) - set(others)
    assert "was never started here" in day.play("failover", failover_nodes=node)
    assert not not_once(day.copies(), SERVERS)
    assert changed(day.play("failover", failover_nodes=node)) == 0
    day.back(node)
    process, _seen = begun(day, "failback", r"move pbx\d+ .* ok", failback_hold=0)
    kill(process, day.inventory)
    day.play("failback", failback_hold=0)
    assert day.of(node) == lost
    assert not not_once(day.copies(), SERVERS)


# ---------------------------------------------------------------- drills


def test_a_real_drill_tells_each_servers_outage_and_brings_everybody_home(day: ByHand) -> None:
    node = day.busiest()
    lost, where = day.of(node), day.where()
    assert "drill_nodes has to name it" in day.play("drill", check=False, drill_real=True)
    assert day.outside.powered() == set(day.nodes)
    output = day.play("drill", drill_nodes=node, drill_real=True, drill_failback=True, drill_patience=300)
    rows = dict(re.findall(rf"^(pbx\d+) +{node} → \S+ +([\d.]+) ", output, re.MULTILINE))
    assert set(rows) == lost
    assert all(0.5 < float(seconds) < 300 for seconds in rows.values())
    assert day.where() == where
    assert not not_once(day.copies(), SERVERS)


def test_a_real_drill_that_would_cost_a_server_is_refused(day: ByHand) -> None:
    node = day.busiest()
    day.servers[min(day.of(node))]["vs_failover"] = "off"
    day.write()
    output = day.play("drill", check=False, drill_nodes=node, drill_real=True)
    assert "would stay down, or have no replica" in output
    assert day.outside.powered() == set(day.nodes)


# ---------------------------------------------------------------- what the pages tell to type


def test_the_page_is_typed_on_the_day_a_node_dies(day: ByHand, tmp_path: Path) -> None:
    drill, foretell, failover, failback, real = told("docs/failover.md")
    where, lost = day.where(), day.of("node1")
    # A home that has just come up is not gone back to for five minutes: not here.
    day.write(failback_hold=0)
    desk = Desk(tmp_path, day.inventory, day.lab.name)
    desk.do(drill)
    day.outside.cut_power("node1")
    assert f"{len(lost)} to promote, {len(lost)} to start" in desk.do(foretell)
    desk.do(failover)
    assert not not_once(day.copies(), SERVERS) and not day.of("node1")
    day.back("node1")
    day.sweep()
    day.rest()
    desk.do(failback)
    assert day.where() == where
    day.rest()
    desk.do(real)
    assert day.where() == where and not not_once(day.copies(), SERVERS)


def test_what_is_typed_on_a_node_itself(day: ByHand) -> None:
    page = (ROOT / "docs/replication.md").read_text(encoding="utf-8").partition("## By hand, on a node")[2]
    commands = re.findall(r"^\| `(.+?)` \|", page.partition("\n\n|")[2].partition("\n\n")[0], re.MULTILINE)
    assert len(commands) == 6 and "switchyard-agent refresh pbx01" in commands
    (replica,) = [each for each in day.copies() if each.server == "pbx01" and each.role == "replica"]
    for command in commands:
        day.outside.console(replica.node, "sh", "-c", command)
    (later,) = [each for each in day.copies() if each.server == "pbx01" and each.role == "replica"]
    assert later.refreshed > replica.refreshed
    assert not not_once(day.copies(), SERVERS)
