# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a node's Incus trusts: its own agent with everything, the others' with their project, and nobody who left."""

from __future__ import annotations

import base64

from ansible_collections.switchyard.fleet.plugins.module_utils.node.agent_access import access, bandwidth
from ansible_collections.switchyard.fleet.plugins.module_utils.node.facts import fingerprint


def pem(text):
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(text.encode()).decode()}\n-----END CERTIFICATE-----\n"


ONE, TWO = pem("one"), pem("two")
BOTH = {"node1": ONE, "node2": TWO}
NODES = ("node1", "node2")
CONTROLLER = {"fingerprint": "c0", "name": "switchyard-lab", "restricted": False, "projects": [], "type": "client"}


def known(certificate, name, *, restricted):
    return {
        "fingerprint": fingerprint(certificate),
        "name": name,
        "type": "client",
        "restricted": restricted,
        "projects": ["default"] if restricted else None,
    }


HERE = known(ONE, "switchyard-lab:node1", restricted=False)
THERE = known(TWO, "switchyard-lab:node2", restricted=True)


def changes(*found, certificates=None, nodes=NODES, here="node1"):
    return access("lab", here, BOTH if certificates is None else certificates, list(nodes), [CONTROLLER, *found])


def test_in_order_is_nothing_to_do():
    assert not changes(HERE, THERE)


def test_the_own_agent_may_do_everything_others_are_restricted():
    added = changes()
    assert [(entry.name, entry.restricted) for entry in added.trust] == [
        ("switchyard-lab:node1", False),
        ("switchyard-lab:node2", True),
    ]
    assert added.trust[1].body["projects"] == ["default"]
    assert "project default only" in added.diff()["after"]["trusted switchyard-lab:node2"]


def test_rights_that_somebody_changed_are_put_right():
    rewritten = changes(HERE, {**THERE, "restricted": False, "projects": []})
    assert list(rewritten.rewrite) == [THERE["fingerprint"]]
    assert not (rewritten.trust or rewritten.forget)


def test_a_node_that_left_is_forgotten_and_one_that_is_only_not_looked_at_is_not():
    third = known(pem("three"), "switchyard-lab:node3", restricted=True)
    assert changes(HERE, THERE, third).forget == {third["fingerprint"]: "switchyard-lab:node3"}
    assert not changes(HERE, THERE, third, nodes=[*NODES, "node3"])


def test_a_node_that_was_installed_anew_is_trusted_as_it_is_now_only():
    old = known(pem("old"), "switchyard-lab:node2", restricted=True)
    after = changes(HERE, old)
    assert [entry.certificate for entry in after.trust] == [TWO]
    assert after.forget == {old["fingerprint"]: "switchyard-lab:node2"}


def test_other_fleets_agents_and_anybody_elses_clients_are_left_alone():
    others = [
        known(pem("x"), "switchyard-lab-two:node9", restricted=True),
        known(pem("y"), "switchyard-lab2:node9", restricted=True),
        known(pem("z"), "admin", restricted=False),
    ]
    assert not changes(HERE, THERE, *others)


# ---- bandwidth

POOLS = [
    {"name": "default", "driver": "dir", "config": {}},
    {"name": "slow", "driver": "lvm", "config": {"rsync.bwlimit": "10MiB"}},
    {"name": "fast", "driver": "btrfs", "config": {}},
]


def test_no_opinion_on_bandwidth_changes_nothing():
    assert not bandwidth(None, POOLS)


def test_a_limit_is_set_where_there_is_one_and_the_others_are_named():
    found = bandwidth("50MiB", POOLS)
    assert found.pools == {"default": ("", "50MiB"), "slow": ("10MiB", "50MiB")}
    assert found.unlimited == ("fast",)


def test_an_empty_limit_takes_it_away():
    found = bandwidth("", POOLS)
    assert found.pools == {"slow": ("10MiB", "")}
    assert found.unlimited == ()
