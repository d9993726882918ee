# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that refer to something declared elsewhere: does it exist?"""

from __future__ import annotations

from collections.abc import Iterable

from . import lineage
from .kinds import WRONG
from .mistakes import Known
from .reading import Draft, Values


def check(draft: Draft) -> None:
    """Note every reference to nothing, and take back what it said."""
    groups = Known({*draft.groups, *draft.servers})
    nodes, sites, pools = Known(draft.nodes), _sites(draft), _pools(draft)
    for node in draft.nodes.values():
        _one(draft, node, "node_backup", nodes, "node")
        _one(draft, node, "node_site", sites, "site")
        _groups(draft, node, "node_dedicated", groups, node["node_dedicated"])
    classes, templates, networks = (_declared(draft, what) for what in ("classes", "templates", "networks"))
    _pools_of_classes(draft, pools)
    lineage.check(draft.fleet["fleet_templates"], draft.fleet["fleet_engine"], draft.notes(draft.fleet))
    for server in draft.servers.values():
        _one(draft, server, "vs_class", classes, "class")
        _one(draft, server, "vs_template", templates, "template")
        _one(draft, server, "vs_network", networks, "network")
        _one(draft, server, "vs_node", nodes, "node")
        _one(draft, server, "vs_site", sites, "site")
        _one(draft, server, "vs_pool", pools, "storage pool")
        _interfaces(draft, server, networks)
        for variable in ("vs_affinity", "vs_anti_affinity"):
            _groups(draft, server, variable, groups, [name for wish in server[variable] for name in wish.others])


def _sites(draft: Draft) -> Known | None:
    """Names of the sites there are; None where that cannot be told."""
    if "fleet_sites" in draft.fleet.wrong:
        return None
    if draft.fleet["fleet_sites"]:
        return Known(draft.fleet["fleet_sites"])
    if any("node_site" in node.wrong for node in draft.nodes.values()):
        return None
    return Known(node["node_site"] or "default" for node in draft.nodes.values())


def _declared(draft: Draft, what: str) -> Known | None:
    variable = f"fleet_{what}"
    return None if variable in draft.fleet.wrong else Known(draft.fleet[variable])


def _pools(draft: Draft) -> Known | None:
    """Storage pools there are; None unless every node that carries servers declares its own."""
    pools: set[str] = set()
    for node in draft.nodes.values():
        if node["node_witness"]:
            continue
        if not node["node_pools"]:
            return None
        pools.update(node["node_pools"], (pool["name"] for pool in node["node_storage_pools"]))
    return Known(pools) if pools else None


def _pools_of_classes(draft: Draft, pools: Known | None) -> None:
    for name, read in draft.fleet["fleet_classes"].items():
        pool = read.get("pool") if read is not WRONG else None
        if pool and pools is not None and pool not in pools:
            variable = f"fleet_classes.{name}.pool"
            draft.notes(draft.fleet).wrong(variable, pool, "no such storage pool", pools.nearest(pool))


def _one(draft: Draft, values: Values, variable: str, known: Known | None, what: str) -> None:
    said = values.said.get(variable)
    if said and known is not None and said not in known:
        accepted = known.nearest(said, f"none: no {what} is declared")
        draft.reject(values, variable, said, f"no such {what}", accepted)


def _interfaces(draft: Draft, server: Values, networks: Known | None) -> None:
    for leg in server["vs_interfaces"] or ():
        if networks is not None and leg.network not in networks:
            accepted = networks.nearest(leg.network, "none: no network is declared")
            draft.reject(server, "vs_interfaces", leg.network, "no such network", accepted)


def _groups(draft: Draft, values: Values, variable: str, known: Known, names: Iterable[str]) -> None:
    """Names of servers, or of groups with servers among their members."""
    for name in names:
        if name == values.host:
            draft.reject(values, variable, name, "the server itself", "other servers, or groups it is a member of")
        if name in draft.servers:
            continue
        if name in draft.nodes:
            draft.reject(values, variable, name, "a node, not a virtual server", "virtual servers and groups of them")
        elif name not in draft.groups:
            draft.reject(values, variable, name, "no such host or group", known.nearest(name))
        elif draft.groups[name] and not draft.members(name):
            draft.reject(
                values, variable, name, "a group without a virtual server", "virtual servers and groups of them"
            )
