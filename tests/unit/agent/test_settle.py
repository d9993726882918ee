# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a start of the node: what is stale, what may start, and what waits; and how a copy is put aside."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import settled
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.aside import aside_name, strange
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.quorum import Quorum, parsed
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.record import Claim
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.settle import Verdict, judge, looked_after
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found


def copy(generation=1, *, role="primary", status="Stopped", **marks):
    config = {"role": role, "generation": str(generation), "fleet": "test", **marks}
    return Found({"status": status, "config": {f"user.switchyard.{key}": text for key, text in config.items()}}, "")


MINE = copy(3, replicas="node2")


NODES = ("node2", "node3", "node4")
REPLICA = copy(3, role="replica")


def judged(mine=MINE, waiting=("pbx",), known=None, **copies):
    """``copies``: node -> its copy, None: it answers, and has none; the others of the fleet are silent."""
    there = {node: {"pbx": each} if each else {} for node, each in copies.items()}
    return judge("node1", {"pbx": mine}, there, waiting, NODES, known)


def waits_for(verdict):
    assert set(verdict.unsure) == {"pbx"} and not verdict.start and not verdict.stale
    return verdict.silent


def test_a_newer_primary_elsewhere_makes_the_copy_here_stale():
    assert judged(node2=copy(1000)) == Verdict(stale={"pbx": "node2"})
    assert judged(copy(3, status="Running", replicas="node2"), (), node2=copy(4)) == Verdict(stale={"pbx": "node2"})


def test_of_several_the_newest_counts():
    assert judged(node2=copy(1000), node3=copy(2000)).stale == {"pbx": "node3"}


def test_a_server_that_went_on_from_its_backup_makes_the_copy_here_stale_wherever_it_is():
    assert judged(node2=None, node4=copy(1001, status="Running")) == Verdict(stale={"pbx": "node4"})
    assert judged(node2=copy(1001, role="replica"), node4=copy(1001)) == Verdict(stale={"pbx": "node4"})
    unmarked = copy(3, status="Running")
    assert judged(unmarked, (), node4=copy(1001)).stale == {"pbx": "node4"}, "brought back to an old snapshot"


@pytest.mark.parametrize("other", [REPLICA, copy(2, role="replica")])
def test_a_replica_that_is_as_it_was_vouches_for_its_node(other):
    assert judged(node2=other) == Verdict(start=["pbx"]), "although two other nodes are silent"


@pytest.mark.parametrize("other", [copy(2), REPLICA, None])
def test_older_copies_hinder_nothing_once_all_have_answered(other):
    assert judged(node2=other, node3=None, node4=None) == Verdict(start=["pbx"])


def test_a_replica_that_is_gone_or_newer_may_have_been_promoted_and_gone_anywhere():
    assert waits_for(judged(node2=None)) == {"node3", "node4"}
    assert waits_for(judged(node2=None, node3=None)) == {"node4"}
    assert waits_for(judged(node2=copy(9, role="replica"), node3=None)) == {"node4"}
    both = copy(3, replicas="node2 node3")
    assert waits_for(judged(both, node2=REPLICA, node3=None)) == {"node4"}


def test_nothing_starts_before_every_node_that_may_have_it_has_answered():
    assert waits_for(judged()) == {"node2"}
    assert waits_for(judged(copy(3, replicas="node2 node3"), node2=REPLICA)) == {"node3"}
    assert waits_for(judged(copy(3, replicas="node2", pair="node1 node3"), node2=REPLICA)) == {"node3"}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (copy(2, status="Running"), "node2, which is running"),
        (copy(3), "one on node2 calls itself the server as well"),
        (copy(9, role="replica"), "whose replica is on node2"),
    ],
)
def test_some_copies_keep_a_server_down_although_all_have_answered(other, words):
    verdict = judged(node2=other, node3=None, node4=None)
    assert words in verdict.unsure["pbx"] and not verdict.start and not verdict.silent


CLUSTER = Quorum(nodes=frozenset({"node1", *NODES}))


def test_a_majority_that_knows_of_no_promotion_vouches_for_the_silent():
    assert judged(known=CLUSTER).start == ["pbx"], "its backup is dead"
    assert judged(known=CLUSTER, node2=None, node3=None).start == ["pbx"], "another node is dead for good"
    assert judged(known=replace(CLUSTER, claims={"pbx": Claim("node2", 3)})).start == ["pbx"]
    assert waits_for(judged(known=replace(CLUSTER, claims={"pbx": Claim("node4", 1001)}), node2=None, node3=None))
    assert waits_for(judged(known=replace(CLUSTER, nodes=frozenset({"node1", "node3"})))) == {"node2"}


def seen(*states, nodes=("node1", "node2", "node3")):
    """Pacemaker's configuration and status: (node, join, expected) of each."""
    named = "".join(f'<node id="{node}" uname="{node}"/>' for node in nodes)
    status = "".join(
        f'<node_state uname="{node}" in_ccm="{str(join == "member").lower()}" join="{join}" expected="{expected}" '
        f'crmd="{"online" if join == "member" else "offline"}"/>'
        for node, join, expected in states
    )
    record = (
        '<cluster_property_set id="switchyard"><nvpair name="server-pbx" value="node2 1000"/></cluster_property_set>'
    )
    written = f"<crm_config>{record}</crm_config><nodes>{named}</nodes>"
    return f"<cib><configuration>{written}</configuration><status>{status}</status></cib>"


def test_what_a_majority_knows_counts_once_every_member_is_taken_in():
    taken = [("node1", "member", "member"), ("node2", "member", "member")]
    known = parsed(seen(*taken, ("node3", "down", "down")), ["node1", "node2"])
    assert known == Quorum({"pbx": Claim("node2", 1000)}, frozenset({"node1", "node2", "node3"}), frozenset({"node3"}))
    assert parsed(seen(*taken, ("node3", "down", "member")), ["node1", "node2"]).dead == frozenset(), "to be fenced yet"
    assert parsed(seen(*taken[:1]), ["node1", "node2"]) is None, "it was alone until now"
    assert parsed(seen(taken[0], ("node2", "pending", "member")), ["node1", "node2"]) is None
    assert parsed("", ["node1"]) is None


def test_what_did_not_run_before_the_start_and_what_runs_is_not_started():
    assert judged(waiting=(), node2=REPLICA) == Verdict()
    assert judged(copy(3, status="Running", replicas="node2"), node2=REPLICA) == Verdict()


def test_they_start_in_their_order():
    mine = {
        name: copy(replicas="node2", failover=json.dumps({"order": order}))
        for name, order in (("a", 50), ("z", 10), ("b", 50))
    }
    assert judge("node1", mine, {"node2": {}}, list(mine), ["node2"]).start == ["z", "a", "b"]


def test_every_server_of_ours_is_looked_after_but_replicas_and_servers_that_move():
    found = {
        "mine": MINE,
        "unmarked": copy(),
        "replica": copy(role="replica", replicas="node1"),
        "moving": copy(replicas="node2", move="to node2 running"),
    }
    assert list(looked_after(found)) == ["mine", "unmarked"]


# ---- aside


def test_a_copy_that_was_put_aside_is_nobodys_and_off_the_network():
    raw = {
        "name": "pbx",
        "status": "Stopped",
        "profiles": [],
        "config": {
            "user.switchyard.fleet": "test",
            "user.switchyard.role": "primary",
            "user.switchyard.generation": "3",
            "user.switchyard.pair": "node1 node2",
            "user.switchyard.replicas": "node2",
            "user.switchyard.keeps": "running",
            "limits.memory": "32MiB",
        },
        "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}, "eth0": {"type": "nic"}},
    }
    put = strange(raw)
    assert put["config"] == {
        "user.switchyard.generation": "3",
        "user.switchyard.aside": "pbx",
        "boot.autostart": "false",
        "limits.memory": "32MiB",
    }
    assert list(put["devices"]) == ["root"]


def test_its_name_has_the_moment_and_is_never_too_long():
    moment = time.mktime((2026, 11, 21, 3, 7, 0, 0, 0, -1))
    assert aside_name("pbx01", moment) == "pbx01-aside-20261121-0307"
    long = aside_name("p" * 41 + "-" + "q" * 21, moment)
    assert long == "p" * 41 + "-q-aside-20261121-0307"
    assert len(long) <= 63


# ---- what is remembered


def test_what_was_settled_is_remembered_and_a_spoiled_file_is_a_fresh_start(tmp_path):
    path = tmp_path / "run" / "settled.json"
    assert settled.load(path) == settled.Settled()
    seen = settled.Settled(True, ("pbx",), {"pbx": "it stands still"})
    settled.store(seen, path)
    assert settled.load(path) == seen
    path.write_text("{")
    assert settled.load(path) == settled.Settled()
