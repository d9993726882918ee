# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every guest in detail, and guests of others made ours: what an inventory of a site that exists begins with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ...fleet.importing.existing import Existing, ExistingGuest, ExistingNode
from ...fleet.model import Fleet, Observed, Server, Template
from ..base import EngineError, Refused, Untrusted
from . import detail
from .client import Changed, Client, Missing
from .guest import INSTANCE_TYPES, MARK, birth_marks
from .guests import path_of
from .several import ask_all

_ATTEMPT = "describe"


def describe(fleet: Fleet, clients: Iterable[Client], observed: Observed) -> Existing:
    """Two requests per node."""
    nodes = {
        name: ExistingNode(
            name,
            fleet.nodes[name].address,
            fleet.nodes[name].port,
            error=node.error if node.reach != "online" else "",
            templates=node.templates,
        )
        for name, node in observed.nodes.items()
        if name in fleet.nodes
    }
    known = {(each.name, each.node): each for each in observed.servers}
    guests: list[ExistingGuest] = []
    for node, answer in ask_all(clients, _ask).items():
        if isinstance(answer, Untrusted):
            raise answer
        if isinstance(answer, EngineError):
            continue
        instances, networks = answer
        for raw in instances:
            project = raw.get("project") or "default"
            name = raw["name"] if project == "default" else f"{project}/{raw['name']}"
            if (name, node) in known:
                guests.append(detail.guest(raw, known[name, node], networks))
    return Existing(nodes, tuple(guests))


def _ask(client: Client) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
    instances = client.get("/1.0/instances?all-projects=true&recursion=2", _ATTEMPT).metadata or []
    networks = client.get("/1.0/networks?recursion=1", _ATTEMPT).metadata or []
    return instances, {each["name"]: each.get("config") or {} for each in networks if each.get("managed")}


def adopt(fleet: Fleet, client: Client, server: Server, *, check: bool) -> dict[str, tuple[str, str]]:
    """Key of its configuration -> (before, after); empty: it is ours already. One request, or two."""
    attempt = f"adopt {server.name}"
    try:
        answer = client.get(path_of(server.name), attempt)
    except Missing:
        raise Refused(client.node, attempt, f"no guest {server.name} on this node", "import again") from None
    raw = answer.metadata
    config = raw.get("config") or {}
    owner = config.get(f"{MARK}fleet", "")
    if owner == fleet.name:
        return {}
    if owner:
        hint = "it was not touched; let go of it there first"
        raise Refused(client.node, attempt, f"it belongs to fleet {owner}", hint)
    template = fleet.templates.get(server.template, Template(server.template))
    if raw.get("type") != INSTANCE_TYPES[template.kind]:
        problem = f"it is a {raw.get('type')}, and template {template.name} is of the other kind"
        raise Refused(client.node, attempt, problem, "declare a template of its kind (vs_template)")
    wanted = {
        **birth_marks(server, fleet),
        f"{MARK}adopted": "true",
        f"{MARK}class": server.class_name,
        f"{MARK}tenant": server.tenant,
        f"{MARK}interfaces_spec": json.dumps([[leg.network, leg.address] for leg in server.interfaces]),
        f"{MARK}io": str(server.size.io) if server.size.io else "",
    }
    changes = {key: (config.get(key, ""), value) for key, value in wanted.items() if config.get(key, "") != value}
    if not check:
        try:
            body = {"config": {key: after for key, (_before, after) in changes.items()}}
            client.send("PATCH", path_of(server.name), attempt, body, etag=answer.etag)
        except Changed as error:
            raise Refused(client.node, attempt, error.answer, "somebody changed it meanwhile: run again") from None
        except EngineError as error:
            now = client.get(path_of(server.name), attempt).metadata.get("config") or {}
            if not error.unsure or now.get(f"{MARK}fleet") != fleet.name:
                raise
    return changes
