# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode before anything is installed: planned from what is declared."""

from __future__ import annotations

from dataclasses import replace

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import CapacityOverride, Interface
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.paper import on_paper


def test_every_server_is_planned_where_it_would_go_with_its_address():
    servers = [b.server(f"pbx{i}", interfaces=(Interface("lan"),)) for i in range(4)]
    resolved, observed = on_paper(b.fleet([b.node("n1"), b.node("n2")], servers))
    plan = converge(resolved, observed)
    assert [len(found) for found in b.per_node(plan.placement).values()] == [2, 2]
    assert all(server.interfaces[0].address for server in resolved.servers.values())


def test_a_declared_capacity_counts_already():
    small = replace(b.node("n1"), capacity=CapacityOverride(memory=1024))
    plan = converge(*on_paper(b.fleet([small], [b.server("a"), b.server("c")])))
    assert "memory: 1024 MiB wanted, 0 free" in plan.refusals[0].reason
