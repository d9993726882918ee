# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, as an inventory: variables of the fleet, its nodes and its servers. Pure.

It is read again by ``spec.parse`` before anybody sees it; whom that finds fault with is left out, and told.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..inventory.mistakes import InventoryError
from ..model import EngineName, Fleet, Kind
from ..spec import parse
from . import classes
from .existing import Existing, ExistingGuest
from .guests import LeftOut, chosen, sort_out
from .networks import Found, network_of, networks

_TENANT = re.compile(r"(?:tenant|customer|client)[-_.=+](.+)", re.IGNORECASE)
_RESERVED = frozenset({"all", "ungrouped", "nodes", "virtual_servers"})
_PORTS: Mapping[EngineName, int] = {"incus": 8443, "proxmox": 8006}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to take, and how."""

    servers: tuple[str, ...] = ()
    """Shell patterns of names; ``!pattern`` leaves out. None: everybody."""
    pin: bool = False
    """Tie each to the node it is on."""
    pki_dir: str = ""


@dataclass(slots=True)
class Inventory:
    """An inventory in the making: variables by host, groups, and what there is to say of it."""

    fleet: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    guests: dict[str, ExistingGuest] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown_templates: dict[str, Kind] = field(default_factory=dict)
    """Names that stand for "made from nobody knows what"."""
    silent: dict[str, str] = field(default_factory=dict)
    """Nodes that do not answer, and why."""

    def parsed(self) -> Fleet:
        """The fleet it describes. Raises InventoryError."""
        hosts = {"": self.fleet, **self.nodes, **self.servers}
        return parse(hosts, {**self.groups, "nodes": list(self.nodes), "virtual_servers": list(self.servers)})


def take_in(existing: Existing, fleet: Fleet, wanted: Wanted) -> Inventory:
    """The inventory of what is there. ``fleet`` is what is declared so far: its name, its engine, its nodes.

    Raises InventoryError for what cannot be mended by leaving a guest out.
    """
    inventory = Inventory(
        fleet={"fleet_name": fleet.name, "fleet_engine": fleet.engine}
        | ({"fleet_pki_dir": wanted.pki_dir} if wanted.pki_dir else {}),
        nodes={name: _node(existing, fleet, name) for name in sorted(existing.nodes)},
        silent={name: node.error for name, node in sorted(existing.nodes.items()) if node.error},
    )
    guests = [each for each in chosen(existing.guests, wanted.servers) if not each.is_template]
    good, inventory.left_out = sort_out(guests, fleet.name, existing.nodes)
    _fill(inventory, existing, good, wanted)
    while True:
        try:
            inventory.parsed()
            break
        except InventoryError as error:
            faults = {each.host: each.complaint for each in reversed(error.mistakes)}
            bad = [guest for guest in good if guest.name in faults]
            if not bad:
                raise
            inventory.left_out += [LeftOut(each, faults[each.name], "mend that, and import again") for each in bad]
            good = [guest for guest in good if guest.name not in faults]
            _fill(inventory, existing, good, wanted)
    inventory.left_out.sort(key=lambda out: (out.guest.name, out.guest.node, out.guest.number))
    return inventory


def _node(existing: Existing, fleet: Fleet, name: str) -> dict[str, Any]:
    """What is declared of a node stays; what the platform knows of the others is added."""
    node, declared = existing.nodes[name], fleet.nodes.get(name)
    port = declared.port if declared else node.port
    said = {
        "node_address": declared.address if declared else node.address,
        "node_port": port if port != _PORTS[fleet.engine] else 0,
        "node_fingerprint": (declared.fingerprint if declared else "") or node.fingerprint.replace(":", "").lower(),
    }
    return {key: value for key, value in said.items() if value}


def _fill(inventory: Inventory, existing: Existing, guests: Sequence[ExistingGuest], wanted: Wanted) -> None:
    """Everything but the nodes, from these guests."""
    known, misfits, notes = networks(guests)
    gone = {out.guest.place for out in misfits}
    guests = [guest for guest in guests if guest.place not in gone]
    seen = {out.guest.place for out in inventory.left_out}
    inventory.left_out += [out for out in misfits if out.guest.place not in seen]
    inventory.guests = {guest.name: guest for guest in guests}
    sizes = classes.classes(guests)
    templates = _Templates(existing)
    inventory.servers = {}
    for guest in guests:
        legs = [
            {"network": network_of(card, known), "address": card.addresses[0].partition("/")[0]} for card in guest.cards
        ]
        said: dict[str, Any] = {"vs_class": sizes[guest.size, guest.pool], "vs_template": templates.of(guest)}
        if len(legs) == 1:
            said |= {"vs_network": legs[0]["network"], "vs_address": legs[0]["address"]}
        else:
            said["vs_interfaces"] = legs
        said |= {
            "vs_tenant": tenant(guest),
            "vs_state": "stopped" if guest.state == "stopped" else "",
            "vs_start_order": guest.start_order if guest.start_order is not None and guest.start_order < 100 else "",
            "vs_node": guest.node if wanted.pin else "",
        }
        inventory.servers[guest.name] = {key: value for key, value in said.items() if value != ""}
    inventory.fleet["fleet_classes"] = {name: classes.declared(key) for key, name in sizes.items()}
    inventory.fleet["fleet_networks"], shared = _networks(known, guests, existing.guests)
    inventory.fleet["fleet_templates"] = templates.declared()
    inventory.unknown_templates = dict(templates.unknown)
    inventory.groups = _groups(guests, {*inventory.servers, *inventory.nodes})
    disks = [
        f"{guest.name}: only its root disk is declared; {', '.join(guest.more_disks)} stays as it is"
        for guest in guests
        if guest.more_disks
    ]
    inventory.notes = [*notes, *shared, *disks]


def _networks(
    known: Mapping[str, Found], guests: Sequence[ExistingGuest], everybody: Iterable[ExistingGuest]
) -> tuple[dict[str, Any], list[str]]:
    """(entries of ``fleet_networks``, addresses that somebody else has as well).

    Those of guests that are no servers are reserved: nobody else would keep them from being given away.
    """
    servers = {guest.place for guest in guests}
    own = {_bare(address): guest.name for guest in guests for card in guest.cards for address in card.addresses}
    strangers = {
        _bare(address): guest
        for guest in everybody
        if guest.place not in servers
        for card in guest.cards
        for address in (*card.addresses, *card.seen)
    }
    entries = {}
    for name, network in known.items():
        inside = [each for each in strangers if each.version == network.cidr.version and each in network.cidr]
        reserved = [str(each) for each in sorted(inside) if each not in own]
        entries[name] = network.declared() | ({"reserved": reserved} if reserved else {})
    shared = [
        f"{own[address]}: {guest.name} ({guest.place}), which is left out, has its address {address} as well"
        for address, guest in strangers.items()
        if address in own
    ]
    return entries, sorted(shared)


def _bare(address: str) -> Any:
    return ipaddress.ip_interface(address).ip


class _Templates:
    """What guests would be made from, were they made anew. No platform remembers what they really were made from."""

    def __init__(self, existing: Existing) -> None:
        pairs = {pair for node in existing.nodes.values() for pair in node.templates}
        machines = {guest.name for guest in existing.guests if guest.is_template and guest.kind == "vm"}
        self._known: dict[str, str] = {}
        for name, version in sorted(pairs, key=lambda pair: (pair[0], _natural(pair[1]))):
            if name not in machines:
                self._known[name] = version
        self._used: dict[str, dict[str, Any]] = {}
        self.unknown: dict[str, Kind] = {}

    def of(self, guest: ExistingGuest) -> str:
        """The newest archive of the guest's system; otherwise a name that stands for "unknown"."""
        fitting = [name for name in self._known if guest.system and name.startswith(f"{guest.system}-")]
        if guest.kind == "container" and fitting:
            name = max(fitting, key=_natural)
            self._used[name] = {"version": self._known[name]}
            return name
        name = f"unknown-{guest.kind}"
        self._used[name] = {"kind": guest.kind} if guest.kind == "vm" else {}
        self.unknown[name] = guest.kind
        return name

    def declared(self) -> dict[str, Any]:
        """Entries of ``fleet_templates``."""
        return dict(sorted(self._used.items()))


def tenant(guest: ExistingGuest) -> str:
    """Whose it is, where a tag says so: ``tenant-acme``, ``customer_acme``."""
    return next((found[1] for tag in sorted(guest.tags) if (found := _TENANT.fullmatch(tag))), "")


def _groups(guests: Iterable[ExistingGuest], hosts: set[str]) -> dict[str, list[str]]:
    """Ansible's groups, from tags, resource pools and profiles."""
    found: dict[str, list[str]] = {}
    for guest in guests:
        words = [tag for tag in guest.tags if not _TENANT.fullmatch(tag)] + list(guest.groups)
        for group in sorted({_group(word, hosts) for word in words} - {""}):
            found.setdefault(group, []).append(guest.name)
    return dict(sorted(found.items()))


def _group(word: str, hosts: set[str]) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", word).strip("_")
    if name and (name[0].isdigit() or name in _RESERVED or name in hosts):
        return f"tag_{name}"
    return name


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Numbers by their value: 13.2 before 13.10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"([0-9]+)", text) if part]
