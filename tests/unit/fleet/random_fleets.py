# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets by chance: every constraint there is, full nodes, silent nodes, strangers, replicas, broken rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    CapacityOverride,
    Class,
    Factors,
    Failover,
    Fleet,
    Node,
    Observed,
    ObservedServer,
    Plan,
    Replication,
    Rule,
    Server,
    Size,
)
from fleets import fleet, guest, node, observed, seen, server, silent, stranger
from hypothesis import strategies as st

Situation = tuple[Fleet, Observed]

SIZES = [Size(1, 1024, 2048, 5), Size(0.5, 512, 1024), Size(2, 2048, 4096, 10), Size(4, 4096, 1024)]
RACKS = [("", "default"), ("", "default"), ("r1", "default"), ("r2", "default"), ("h1", "hamburg")]


def rarely(draw: Callable) -> bool:
    """True, now and then."""
    return draw(st.integers(0, 9)) == 9


@st.composite
def situations(draw: Callable, most_nodes: int = 8, most_servers: int = 25) -> Situation:
    """A fleet, and where everything is."""
    nodes = [_node(draw, f"n{at}") for at in range(1, draw(st.integers(1, most_nodes)) + 1)]
    if all(item.witness for item in nodes):
        nodes[0] = replace(nodes[0], witness=False)
    names = [item.name for item in nodes]
    servers = [_server(draw, f"s{at:02}", names) for at in range(draw(st.integers(0, most_servers)))]
    nodes = [_with_claims(draw, item, names, servers) for item in nodes]
    rules = [_rule(draw, [item.name for item in servers]) for _rule_ in range(draw(st.integers(0, 3)))]
    wanted = fleet(nodes, servers, [rule for rule in rules if rule], classes={"small": Class("small", SIZES[0])})
    return wanted, _observed(draw, wanted)


def _node(draw: Callable, name: str) -> Node:
    rack, site = draw(st.sampled_from(RACKS))
    return node(
        name,
        failure_domain=rack,
        site=site,
        capacity=CapacityOverride(io=draw(st.sampled_from([None, None, 20, 60]))),
        overcommit=Factors(cores=draw(st.sampled_from([1.0, 4.0]))),
        devices=frozenset({"dongle"}) if draw(st.booleans()) else frozenset(),
        state="maintenance" if rarely(draw) else "active",
        witness=rarely(draw),
        concurrency=draw(st.integers(1, 4)),
    )


def _with_claims(draw: Callable, item: Node, names: list[str], servers: list[Server]) -> Node:
    if rarely(draw) and len(names) > 1:
        item = replace(item, backup=draw(st.sampled_from([name for name in names if name != item.name])))
    if rarely(draw) and servers:
        kept = draw(st.sets(st.sampled_from([each.name for each in servers]), min_size=1, max_size=4))
        item = replace(item, dedicated=frozenset(kept))
    return item


def _server(draw: Callable, name: str, nodes: list[str]) -> Server:
    return server(
        name,
        size=draw(st.sampled_from(SIZES)),
        node=draw(st.sampled_from(nodes)) if rarely(draw) else "",
        site="default" if rarely(draw) else "",
        devices=frozenset({"dongle"}) if rarely(draw) else frozenset(),
        dedicated=rarely(draw) and rarely(draw),
        state="stopped" if rarely(draw) else "running",
        failover=Failover(mode=draw(st.sampled_from(["off", "auto", "auto", "manual"]))),
        replication=draw(st.sampled_from([Replication(), Replication(), Replication("interval", 300)])),
    )


def _rule(draw: Callable, servers: list[str]) -> Rule | None:
    if len(servers) < 2:
        return None
    members = frozenset(draw(st.sets(st.sampled_from(servers), min_size=2, max_size=4)))
    kind = draw(st.sampled_from(["apart", "apart", "together"]))
    over = draw(st.sampled_from(["node", "node", "failure_domain", "site"]))
    return Rule(kind, members, members, over, hard=not rarely(draw), label="group")


def _observed(draw: Callable, wanted: Fleet) -> Observed:
    carriers = [item.name for item in wanted.nodes.values() if not item.witness]
    offline = {name for name in carriers if rarely(draw)}
    there = []
    for name in wanted.nodes:
        memory = draw(st.sampled_from([4096, 8192, 8192, 16384]))
        drained = rarely(draw)
        there.append(silent(name) if name in offline else seen(name, memory=memory, disk=20480, maintenance=drained))
    # Some nodes get more than their share, so that there is something to even out, or to repair.
    piled = [*carriers, *carriers[: draw(st.integers(1, len(carriers)))] * 2]
    guests: list[ObservedServer] = []
    for item in wanted.servers.values():
        if rarely(draw) and rarely(draw):
            continue
        home = draw(st.sampled_from(piled))
        state = "unknown" if home in offline else item.state
        guests.append(guest(item, home, state=state))
        others = [name for name in carriers if name != home]
        if item.replication.mode != "none" and others and draw(st.booleans()):
            guests.append(guest(item, draw(st.sampled_from(others)), role="replica", state="stopped"))
    for at in range(draw(st.integers(0, 2))):
        guests.append(stranger(f"x{at}", draw(st.sampled_from(carriers)), draw(st.sampled_from(SIZES))))
    kinds = frozenset({"container", "vm"}) if rarely(draw) else frozenset()
    shared = frozenset({"default"}) if rarely(draw) else frozenset()
    return observed(there, guests, abilities=Abilities(live=kinds, shared_pools=shared))


def carried_out(there: Observed, plan: Plan) -> Observed:
    """What is observed once a plan is done: servers moved, replicas where the plan wants them, nodes closed or open."""
    moved = {step.server: step.node for step in plan.steps if step.action == "move"}
    state = {
        step.node: step.changes["state"][1] == "maintenance" for step in plan.steps if step.action == "maintenance"
    }
    guests = []
    for item in there.servers:
        goes = plan.backups if item.role == "replica" else moved if item.fleet else {}
        guests.append(replace(item, node=goes.get(item.name, item.node)))
    nodes = {name: replace(item, maintenance=state.get(name, item.maintenance)) for name, item in there.nodes.items()}
    return replace(there, nodes=nodes, servers=tuple(guests))
