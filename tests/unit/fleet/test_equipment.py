# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes lack is told before anything is made, with what they have instead."""

from __future__ import annotations

from dataclasses import replace

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Network, Plan, Template


def plan(network: Network, bridges: frozenset[str] | None, **template: str) -> Plan:
    """A server to be made on the one node there is."""
    server = b.server("pbx1", interfaces=(Interface("lan", "192.0.2.7"),))
    fleet = b.fleet([b.node("n1")], [server], networks={"lan": network})
    if template:
        fleet = replace(fleet, engine="proxmox", templates={server.template: Template(server.template, **template)})
    return converge(fleet, b.observed([replace(b.seen("n1"), bridges=bridges)], []))


def refusals(made: Plan) -> list[tuple[str, str]]:
    assert not made.steps or not made.refusals
    return [(refusal.subject, refusal.reason) for refusal in made.refusals]


LAN = Network("lan", "192.0.2.0/24")


def test_a_bridge_the_node_does_not_have_is_named_with_those_it_has() -> None:
    words = "has no bridge vmbr0 (its node_bridge), which pbx1 needs; it has vmbr1, vmbr2"
    assert refusals(plan(LAN, frozenset({"vmbr2", "vmbr1"}))) == [("n1", words)]
    words = "has no bridge voice (network lan), which pbx1 needs; it has none"
    assert refusals(plan(replace(LAN, bridge="voice"), frozenset())) == [("n1", words)]


def test_a_node_that_does_not_tell_its_bridges_has_them_all() -> None:
    assert refusals(plan(LAN, None)) == []
    assert refusals(plan(LAN, frozenset({"vmbr0"}))) == []


def test_a_template_nobody_has_is_named_with_those_there_are() -> None:
    (refusal,) = refusals(plan(LAN, None, version="9"))
    assert "version 9 is on no node that answers; there is " in refusal[1]
    assert "an archive has to be on the nodes" in refusal[1]
    assert "a VM template" in refusals(plan(LAN, None, version="9", kind="vm"))[0][1]
