# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent on a node knows of its fleet: a file the role ``replication`` writes, and the ways to the other nodes.

It is the fleet without its servers: what there is to know of those is written on their copies.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..engine.base import EngineError
from ..engine.incus.client import Client, Identity, client_context
from ..engine.incus.guests import Guests
from ..engine.trace import Trace
from ..fleet.model import Fleet, Limits, Network, Node

FILE = "/etc/switchyard/agent.json"


@dataclass(frozen=True, slots=True)
class Replicating:
    """How replicas are refreshed on this node."""

    slots: int = 2
    """Refreshes at once, at most."""
    jitter: float = 0.1
    """Share of its interval by which a refresh may be early, so that not all are due at once."""


@dataclass(frozen=True, slots=True)
class Guarding:
    """When a server that does not serve is restarted, and when its node is given up."""

    restarts: int = 3
    """Restarts in place of one server within ``window`` before it counts as failed on this node."""
    window: float = 600.0
    """Seconds restarts are remembered."""
    share: float = 0.5
    """Share of a pair's servers that have to have failed for the node to be given up."""
    misses: int = 2
    """Looks in a row at which a service has to be silent."""
    hold_down: float = 300.0
    """Seconds after servers came to a node in which it is not given up for their sake."""


@dataclass(frozen=True, slots=True)
class Disks:
    """Where this node has the disks of servers in step (``vs_replication: sync``), and how the others are reached."""

    place: str
    """A volume group, or the path of a directory."""
    secret: str
    """What the nodes' devices know each other by."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Node -> address for DRBD; the nodes that have such disks."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The fleet as this node, ``here``, knows it."""

    fleet: Fleet
    here: str
    certificates: dict[str, str]
    """Node -> the certificate it shows (PEM)."""
    certificate: str
    """Path of what this node shows the others, and of its key."""
    key: str
    replicating: Replicating = Replicating()
    guarding: Guarding = Guarding()
    protects: bool = False
    """Whether Corosync and Pacemaker are set up here."""
    disks: Disks | None = None
    """None: no server may be in step here."""

    @property
    def node(self) -> Node:
        """This node."""
        return self.fleet.nodes[self.here]

    def others(self) -> tuple[str, ...]:
        """Nodes that may carry a copy, but for this one, in the inventory's order."""
        return tuple(name for name, node in self.fleet.nodes.items() if name != self.here and not node.witness)

    def clients(self, names: Iterable[str], limits: Limits | None = None) -> dict[str, Client]:
        """Ways to nodes, this one or others; the caller closes them. ``limits``: how long silence is borne."""
        fleet = self.fleet
        try:
            context = client_context(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            attempt = f"load {self.certificate} and {self.key}"
            raise EngineError(self.here, attempt, str(error), "run the site playbook against the node") from None
        trace = Trace()
        return {
            name: Client(
                name,
                fleet.nodes[name].address,
                fleet.nodes[name].port,
                identity=Identity(_fingerprint(self.certificates[name]), self.certificates[name]),
                context=context,
                limits=limits or fleet.limits,
                trace=trace,
            )
            for name in names
        }

    def guests(self, client: Client) -> Guests:
        """The guests of one of them."""
        return Guests(self.fleet, client)


def load(path: str = FILE) -> Settings:
    """Read the file. Raises EngineError for one that is missing, or not what the role writes."""
    attempt = f"read {path}"
    try:
        return parse(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise EngineError("agent", attempt, str(error.strerror), "run the site playbook against the node") from None
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError("agent", attempt, f"it is spoiled: {error}", "run the site playbook against it") from None


def parse(raw: dict[str, Any]) -> Settings:
    """The settings that a file's content says. ``nodes``: name -> address, port, bridge, site, witness, certificate."""
    nodes = {
        name: Node(
            name,
            each["address"],
            int(each.get("port", 8443)),
            site=each.get("site", "default"),
            bridge=each.get("bridge", "vmbr0"),
            witness=bool(each.get("witness", False)),
        )
        for name, each in raw["nodes"].items()
    }
    networks = {name: Network(name, "", bridge=bridge) for name, bridge in raw.get("bridges", {}).items()}
    limits = replace(Limits(), **{key: float(value) for key, value in raw.get("limits", {}).items()})
    return Settings(
        Fleet(raw["fleet"], "incus", nodes, {}, networks=networks, limits=limits),
        raw["here"],
        {name: each.get("certificate", "") for name, each in raw["nodes"].items()},
        raw["certificate"],
        raw["key"],
        Replicating(**raw.get("replicating", {})),
        Guarding(**raw.get("guarding", {})),
        bool(raw.get("protects", False)),
        _disks(raw),
    )


def _disks(raw: Mapping[str, Any]) -> Disks | None:
    if not raw.get("disks"):
        return None
    addresses = {name: each["disk_address"] for name, each in raw["nodes"].items() if each.get("disk_address")}
    return Disks(raw["disks"]["place"], raw["disks"]["secret"], addresses)


def written(fleet: Fleet, certificates: Mapping[str, str]) -> dict[str, Any]:
    """What ``parse`` reads of a fleet, but for what each node has of its own. Nodes without a certificate are left out:
    they never were part of it."""
    usual = Limits()
    return {
        "fleet": fleet.name,
        "nodes": {
            name: {
                "address": node.address,
                "port": node.port,
                "bridge": node.bridge,
                "site": node.site,
                "witness": node.witness,
                "certificate": certificates[name],
            }
            | ({"disk_address": node.disk_address or node.address} if node.disks else {})
            for name, node in fleet.nodes.items()
            if name in certificates
        },
        "bridges": {name: network.bridge for name, network in fleet.networks.items() if network.bridge},
        "limits": {
            name: getattr(fleet.limits, name)
            for name in ("connect", "request", "operation", "stop")
            if getattr(fleet.limits, name) != getattr(usual, name)
        },
    }


def _fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
