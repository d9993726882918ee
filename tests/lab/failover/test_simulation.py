# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two who never speak to each other choose the same: the planner on paper, and Pacemaker on what it is told.

For every node of random fleets: where crm_simulate starts the pairs of a dead node, given the configuration that is
rendered for them, is where the plan for that death starts their servers. No node is harmed: crm_simulate works on a
file. It runs here where it is installed, and else on a node of the lab.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster import pacemaker
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.fencing import Fence
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pacemaker import Wanted
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.failover import failover
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import FailoverOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication
from fleets import fleet, guest, node, observed, seen, server
from support.lab import Lab

pytestmark = pytest.mark.lab


# Everybody is there and everything runs; then one dies. Each node's death begins from the same file.
SCRIPT = """
set -eu
folder=$(mktemp -d)
cat >"$folder/cib.xml"
crm_simulate --xml-file "$folder/cib.xml" --simulate --save-output "$folder/up.xml" {up} >"$folder/log" 2>&1
for node in {nodes}; do
    echo "DEAD $node"
    crm_simulate --xml-file "$folder/up.xml" --simulate --node-fail "$node" 2>&1
done
rm -r "$folder"
"""


@pytest.fixture(scope="module")
def shell(request: pytest.FixtureRequest) -> list[str]:
    """What runs a script where crm_simulate is."""
    if shutil.which("crm_simulate"):
        return ["sh", "-c"]
    lab: Lab = request.getfixturevalue("lab")
    first = next(iter(lab.facts["nodes"]))
    if "crm_simulate" not in lab.ssh(first, "command -v crm_simulate || true"):
        pytest.skip("crm_simulate is neither installed here nor on the lab's first node, where role failover puts it")
    return lab.ssh_to(first)


def simulated(shell: list[str], cib: str, nodes: list[str]) -> dict[str, dict[str, str]]:
    """Dead node -> resource -> the node it runs on then."""
    up = " ".join(f"--node-up {name}" for name in nodes)
    script = SCRIPT.format(up=up, nodes=" ".join(nodes))
    done = subprocess.run([*shell, script], input=cib, text=True, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    found = {}
    for part in done.stdout.split("DEAD ")[1:]:
        dead, _newline, text = part.partition("\n")
        after = text[text.index("Revised Cluster Status") :]
        found[dead] = dict(re.findall(r"\* (\S+)\s+\((?:ocf|stonith):\S+\):\s+Started (\S+)", after))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_pacemaker_starts_a_dead_nodes_servers_where_the_plan_does(shell: list[str], seed: int) -> None:
    dice = random.Random(seed)
    names = [f"node{number}" for number in range(1, dice.randint(3, 7))] + ["far-away"]
    witness = dice.choice([None, "witness"])
    voters = names + ([witness] if witness else [])
    auto = {"failover": Failover("auto"), "replication": Replication("interval", 60)}
    servers = [server(f"pbx{number:02}", **auto) for number in range(dice.randint(1, 15))]
    home = {each.name: dice.choice(names) for each in servers}
    backup = {each.name: dice.choice([name for name in names if name != home[each.name]]) for each in servers}

    fences = tuple(Fence(name, "fence_ipmilan", {"ip": "192.0.2.1"}) for name in names)
    cluster = Wanted(tuple(voters), tuple(names), fences)
    # Both of each two nodes, as the agents make them.
    pairs = {Pair(home[name], backup[name]) for name in home} | {Pair(backup[name], home[name]) for name in home}
    found = simulated(shell, pacemaker.whole(pacemaker.configuration(cluster, pairs)), voters)

    there = observed(
        [seen(name, cores=512, memory=1 << 20, disk=1 << 24) for name in names],
        [guest(each, home[each.name]) for each in servers]
        + [guest(each, backup[each.name], role="replica", state="stopped") for each in servers],
    )
    declared = fleet([node(name) for name in names], servers)
    hit = 0
    for dead in names:
        plan = failover(declared, there, FailoverOptions((dead,), by_hand=True))
        assert plan.refusals == ()
        for name in [name for name in home if home[name] == dead]:
            hit += 1
            assert plan.placement[name] == found[dead][Pair(dead, backup[name]).identity], (dead, name)
        # The others stay where they are, and nothing at all runs on the dead or on a witness.
        for pair in pairs:
            if pair.home != dead:
                assert found[dead][pair.identity] == pair.home
        assert not {dead, witness} & {on for what, on in found[dead].items() if what.startswith("pair-")}
    assert hit == len(servers)


def test_no_node_is_the_one_to_fence_itself(shell: list[str]) -> None:
    names = ["a", "b", "c"]
    fences = tuple(Fence(name, "fence_ipmilan", {"ip": "192.0.2.1"}) for name in names)
    cluster = Wanted(tuple(names), tuple(names), fences)
    cib = pacemaker.whole(pacemaker.configuration(cluster, [Pair("a", "b")]))
    for dead, found in simulated(shell, cib, names).items():
        for name in names:
            assert found[fences[names.index(name)].identity] not in (name, dead)
