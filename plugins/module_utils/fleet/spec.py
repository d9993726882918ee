# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory, checked, as a Fleet: the first stretch of the road.

Values are read one by one (``reading``), names looked up (``references``), the fleet built, and what does
not fit together found (``contradictions``). Every mistake is gathered; one is enough for an InventoryError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .inventory import contradictions, declared_addresses, reading, references
from .inventory.affinity import WishOf, rules
from .inventory.kinds import WRONG
from .inventory.mistakes import InventoryError, Mistake
from .inventory.reading import Draft, Values
from .model import (
    Capacity,
    CapacityOverride,
    Class,
    Factors,
    Failover,
    Fleet,
    Interface,
    Limits,
    Network,
    Node,
    Server,
    Site,
    Size,
    Template,
)

try:
    import netaddr
except ImportError:
    netaddr = None

_PORTS = {"incus": 8443, "proxmox": 8006}
"""Where each engine's platform listens by itself. A name that is no engine's is a mistake already, and has no port."""


def parse(hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]) -> Fleet:
    """Make the fleet of an inventory.

    ``hosts`` maps each host to its templated variables; those of the whole fleet are under the key ``""``,
    or else on the first node or server. ``groups`` is Ansible's. A value that could not be templated is
    ``mistakes.Unreadable``.

    Raises InventoryError with all mistakes there are, and nothing else.
    """
    if netaddr is None:
        problem = "the Python library netaddr is missing where ansible-playbook runs"
        raise InventoryError([Mistake("", "", "", problem, "pip install netaddr, or apt install python3-netaddr")])
    draft = reading.read(hosts, groups)
    references.check(draft)
    fleet = build(draft)
    declared_addresses.check(draft, fleet)
    contradictions.check(draft, fleet)
    if draft.mistakes:
        raise InventoryError(draft.mistakes)
    return fleet


def build(draft: Draft) -> Fleet:
    """The fleet a draft describes; where something in it was wrong, without that."""
    said = draft.fleet
    networks = {
        name: Network(
            name,
            read["cidr"],
            **{key: value for key, value in read.items() if key != "cidr"},
        )
        for name, read in said["fleet_networks"].items()
        if read is not WRONG
    }
    templates = {name: _template(name, read) for name, read in said["fleet_templates"].items() if read is not WRONG}
    pool = draft.default_pool
    classes = {name: _class(name, read, pool) for name, read in said["fleet_classes"].items() if read is not WRONG}
    nodes = {name: _node(draft, values) for name, values in draft.nodes.items()}
    return Fleet(
        name=said["fleet_name"],
        engine=said["fleet_engine"],
        nodes=nodes,
        servers={name: _server(draft, values, classes, pool) for name, values in draft.servers.items()},
        templates=templates,
        networks=networks,
        classes=classes,
        sites={name: Site(name) for name in said["fleet_sites"] or sorted({node.site for node in nodes.values()})},
        rules=rules(_wishes(draft), draft.members),
        limits=Limits(concurrency=said["fleet_concurrency"], lock_ttl=said["fleet_lock_ttl"], **said["fleet_timeouts"]),
        ssh_keys=said["fleet_ssh_keys"],
        quorum_device=said["fleet_quorum_device"],
    )


def _template(name: str, read: Mapping[str, Any]) -> Template:
    """What it is built of is the template role's; the fleet knows what it is."""
    return Template(name, read.get("kind", "container"), read.get("version", "1"), read.get("clone", ""))


def _class(name: str, read: Mapping[str, Any], pool: str) -> Class:
    return Class(name, Size(read["cores"], read["memory"], read["disk"], read.get("io", 0)), read.get("pool", pool))


def _node(draft: Draft, values: Values) -> Node:
    reserve = {**draft.fleet["fleet_reserve"], **values["node_reserve"]}
    return Node(
        name=values.host,
        address=values["node_address"] or values.host,
        port=values["node_port"] or _PORTS.get(draft.fleet["fleet_engine"], 0),
        site=_site(draft, values),
        failure_domain=values["node_failure_domain"],
        capacity=CapacityOverride(values["node_cores"], values["node_memory"], values["node_io"], values["node_pools"]),
        reserve=Capacity(**reserve),
        overcommit=Factors(**{**draft.fleet["fleet_overcommit"], **values["node_overcommit"]}),
        devices=frozenset(values["node_devices"]),
        backup=values["node_backup"],
        replication_bandwidth=values["node_replication_bandwidth"],
        dedicated=frozenset().union(*map(draft.members, values["node_dedicated"])),
        state=values["node_state"],
        witness=values["node_witness"],
        concurrency=values["node_concurrency"],
        fence=values["node_fence"],
        fingerprint=values["node_fingerprint"],
        bridge=values["node_bridge"],
        disks=values["node_sync_disks"],
        disk_address=values["node_sync_address"],
        links=tuple(values["node_cluster_addresses"]) or (values["node_address"] or values.host,),
    )


def _site(draft: Draft, values: Values) -> str:
    sites = draft.fleet["fleet_sites"]
    if values.said.get("node_site"):
        return str(values["node_site"])
    if len(sites) == 1:
        return str(next(iter(sites)))
    if sites and "default" not in sites and "node_site" not in values.wrong:
        draft.notes(values).missing("node_site", "missing, and several sites are declared", ", ".join(sorted(sites)))
        values.doubt("node_site")
    return "default"


def _server(draft: Draft, values: Values, classes: Mapping[str, Class], pool: str) -> Server:
    class_ = classes.get(values["vs_class"])
    action: Failover = values["vs_failover_action"]
    return Server(
        name=values.host,
        size=_size(draft, values, class_),
        template=_template_of(draft, values),
        class_name=values["vs_class"],
        pool=values["vs_pool"] or (class_.pool if class_ else pool),
        interfaces=_interfaces(draft, values),
        tenant=values["vs_tenant"],
        resource_pool=values["vs_resource_pool"],
        state=values["vs_state"],
        node=values["vs_node"],
        site=values["vs_site"],
        dedicated=values["vs_dedicated"],
        devices=frozenset(values["vs_devices"]),
        start_order=values["vs_start_order"],
        start_delay=values["vs_start_delay"],
        checks=values["vs_checks"],
        replication=values["vs_replication"],
        failover=replace(action, mode=values["vs_failover"]),
        max_rtt_ms=values["vs_replica_rtt"],
    )


def _size(draft: Draft, values: Values, class_: Class | None) -> Size:
    """The server's own words before its class's. A size that cannot be told is doubtful, and 0."""
    parts: dict[str, Any] = {}
    for part in ("cores", "memory", "disk", "io"):
        variable = f"vs_{part}"
        if variable in values:
            parts[part] = values[variable]
        elif variable in values.wrong:
            parts[part] = 0
            values.wrong.add("size")
        elif class_:
            parts[part] = getattr(class_.size, part)
        elif part == "io":
            parts[part] = 0
    lacking = [f"vs_{part}" for part in ("cores", "memory", "disk") if part not in parts]
    if lacking:
        values.wrong.add("size")
        # A class that is there but wrong would have told; that is another mistake, noted already.
        if not values["vs_class"] and "vs_class" not in values.wrong:
            named = ", ".join(lacking)
            accepted = "a class of fleet_classes, or vs_cores, vs_memory and vs_disk"
            draft.notes(values).missing("vs_class", f"no class, and no {named} either", accepted)
    return Size(**{"cores": 0.0, "memory": 0, "disk": 0, **parts})


def _template_of(draft: Draft, values: Values) -> str:
    if values["vs_template"]:
        return str(values["vs_template"])
    declared = draft.fleet["fleet_templates"]
    if "vs_template" in values.wrong or "fleet_templates" in draft.fleet.wrong:
        return ""
    if len(declared) == 1:
        return str(next(iter(declared)))
    accepted = ", ".join(sorted(declared)) or "a template of fleet_templates, which declares none"
    draft.notes(values).missing("vs_template", "missing", accepted)
    return ""


def _interfaces(draft: Draft, values: Values) -> tuple[Interface, ...]:
    if "vs_interfaces" in values:
        for variable in ("vs_address", "vs_network"):
            if values[variable]:
                draft.reject(
                    values, variable, values[variable], "beside vs_interfaces, which says it all", "one of them"
                )
        return tuple(values["vs_interfaces"])
    networks = draft.fleet["fleet_networks"]
    doubtful = {"vs_interfaces", "vs_network", "vs_address"} & values.wrong or "fleet_networks" in draft.fleet.wrong
    network = values["vs_network"] or (next(iter(networks)) if len(networks) == 1 else "")
    if network and "vs_network" not in values.wrong and "vs_interfaces" not in values.wrong:
        return (Interface(network, values["vs_address"]),)
    if not doubtful and networks:
        draft.notes(values).missing(
            "vs_network", "missing, and several networks are declared", ", ".join(sorted(networks))
        )
    elif not doubtful and values["vs_address"]:
        draft.reject(
            values, "vs_address", values["vs_address"], "an address without a network", "a network in fleet_networks"
        )
    return ()


def _wishes(draft: Draft) -> Iterator[WishOf]:
    for server, values in draft.servers.items():
        for wish in values["vs_affinity"]:
            yield WishOf(server, "together", wish)
        for wish in values["vs_anti_affinity"]:
            yield WishOf(server, "apart", wish)
