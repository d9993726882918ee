# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every guest of the cluster in detail, one request each: for an inventory that is still to be written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...fleet.importing.existing import Card, Existing, ExistingGuest, ExistingNode
from ...fleet.model import Observed, Size
from ..base import EngineError
from . import marks
from .client import Client
from .config import Config, options_of, storage_of
from .dialects import DIALECTS
from .recognise import rows_of

_ATTEMPT = "describe"
_WORKERS = 16
_MIB = 1024 * 1024

Row = Mapping[str, Any]


def describe(client: Client, observed: Observed) -> Existing:
    """Three requests, and one per guest on a node that answers."""
    addresses = {
        str(row["name"]): str(row.get("ip") or "")
        for row in client.get("/cluster/status", _ATTEMPT)
        if row.get("type") == "node"
    }
    rows = rows_of(client.get("/cluster/resources", _ATTEMPT, type="vm"), "lxc", "qemu")
    certificates = _certificates(client)
    nodes = {
        name: ExistingNode(
            name,
            addresses.get(name, ""),
            fingerprint=certificates.get(name, ""),
            error=node.error if node.reach != "online" else "",
            templates=node.templates,
        )
        for name, node in observed.nodes.items()
        # One that is declared, and unknown to the cluster, is a mistake of the inventory's.
        if name in addresses
    }
    with ThreadPoolExecutor(_WORKERS) as pool:
        guests = list(pool.map(lambda row: _guest(row, client, nodes), rows))
    return Existing(nodes, tuple(guests))


def _certificates(client: Client) -> dict[str, str]:
    """Node -> SHA-256 fingerprint of its API server; nothing where we may not know."""
    try:
        said = client.get("/cluster/config/join", _ATTEMPT)
    except EngineError:
        # A node on its own is no cluster; and the call needs a privilege that nothing else here does.
        return {}
    return {str(row["name"]): str(row.get("pve_fp") or "") for row in said.get("nodelist") or ()}


def _guest(row: Row, client: Client, nodes: Mapping[str, ExistingNode]) -> ExistingGuest:
    node, kind, vmid = str(row.get("node")), str(row["type"]), row["vmid"]
    name, number = str(row.get("name") or vmid), f"{kind}/{vmid}"
    there = nodes.get(node)
    error = there.error if there else "its node is not in the cluster"
    config: Config = {}
    if not error:
        try:
            config = client.get(f"/nodes/{node}/{kind}/{vmid}/config", _ATTEMPT, node=node)
        except EngineError as failed:
            error = failed.answer
    if config.get("lock") == "create":
        error = "it is just being made"
    said = marks.read(str(config.get("tags") or ""))
    if error:
        return ExistingGuest(name, node, number, error=error)
    dialect = DIALECTS[kind]
    key, disk = dialect.root(config)
    volumes = {each: volume for each, volume, options in dialect.volumes(config) if options.get("media") != "cdrom"}
    return ExistingGuest(
        name=dialect.name(config) or name,
        node=node,
        number=number,
        kind="container" if kind == "lxc" else "vm",
        state="running" if row.get("status") == "running" else "stopped",
        size=Size(_cores(row, config), _memory(row, config), disk),
        pool=storage_of(volumes.get(key, "")),
        more_disks=tuple(f"{each} ({volume})" for each, volume in sorted(volumes.items()) if each != key),
        fleet=said.fleet,
        cards=_cards(kind, config),
        dns=tuple(str(config.get("nameserver") or "").replace(",", " ").split()),
        tags=said.others,
        groups=(f"pool_{row['pool']}",) if row.get("pool") else (),
        system=str(config.get("ostype") or "") if kind == "lxc" else "",
        start_order=_order(config),
        is_template=bool(config.get("template")),
    )


def _cores(row: Row, config: Config) -> float:
    """A container without a number of cores has its node's, which the list tells."""
    limit = float(config.get("cpulimit") or 0)
    whole = float(config.get("cores") or 0) * float(config.get("sockets") or 1)
    if row["type"] == "qemu":
        whole = whole or float(config.get("sockets") or 1)
    whole = whole or float(row.get("maxcpu") or 0)
    return limit if 0 < limit <= whole and math.ceil(limit) == whole else whole


def _memory(row: Row, config: Config) -> int:
    said = re.fullmatch(r"(?:current=)?([0-9]+)", str(config.get("memory") or ""))
    return int(said[1]) if said else int(row.get("maxmem") or 0) // _MIB


def _order(config: Config) -> int | None:
    said = str(config.get("startup") or "")
    order = options_of(said).get("order") or said.partition(",")[0]
    return int(order) if order.isdigit() else None


def _cards(kind: str, config: Config) -> tuple[Card, ...]:
    found = []
    for key in sorted((key for key in config if re.fullmatch(r"net[0-9]+", key)), key=lambda key: int(key[3:])):
        link = options_of(str(config[key]))
        told = link if kind == "lxc" else options_of(str(config.get(f"ipconfig{key[3:]}") or ""))
        addresses = [told.get(name, "") for name in ("ip", "ip6")]
        found.append(
            Card(
                name=key,
                bridge=link.get("bridge", ""),
                vlan=int(link.get("tag") or 0),
                mtu=int(link.get("mtu") or 0),
                addresses=tuple(address for address in addresses if "/" in address),
                gateways=tuple(told[name] for name in ("gw", "gw6") if told.get(name)),
                dynamic=bool({"dhcp", "auto"} & set(addresses)),
            )
        )
    return tuple(found)
