# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that somebody else made, made ours: our marks are put on it, and nothing else of it changes."""

from __future__ import annotations

from dataclasses import replace

from ...fleet.model import Server, Template
from ..base import EngineError, Refused
from . import marks
from .client import Changed
from .dialects import dialect_of
from .guests import Found, Guests, doubtful


def adopt(guests: Guests, server: Server, node: str, *, check: bool) -> dict[str, tuple[str, str]]:
    """Key of its configuration -> (before, after); empty: it is ours already. Two requests, and a task's end.

    Raises Refused for a guest that is another fleet's, a template, locked, of the other kind, or not alone of its name.
    """
    attempt, fleet = f"adopt {server.name}", guests.fleet
    found = _only(guests, server, node, attempt)
    if found.marks.fleet == fleet.name:
        return {}
    problem = _problem(found, guests, server)
    if problem:
        raise Refused(node, attempt, *problem)
    said = replace(marks.of_server(server, fleet), others=found.marks.others, adopted=True)
    changes = {"tags": (str(found.config.get("tags") or ""), marks.write(said))}
    if check:
        return changes
    body = {"tags": changes["tags"][1]} | ({"digest": found.config["digest"]} if "digest" in found.config else {})
    try:
        guests.run("PUT", f"{found.path}/config", node, attempt, body)
    except Changed as error:
        raise Refused(node, attempt, error.answer, "somebody changed it meanwhile: run again") from None
    except EngineError as error:
        if not doubtful(error):
            raise
        now = guests.read(node, found.kind, found.vmid, attempt)
        if now is None or now.marks.fleet != fleet.name:
            raise
    guests.numbers.forget()
    return changes


def _only(guests: Guests, server: Server, node: str, attempt: str) -> Found:
    rows = [row for row in guests.numbers.rows(attempt, fresh=True) if row.get("name") == server.name]
    if len(rows) > 1:
        places = ", ".join(f"{row['vmid']} on {row.get('node')}" for row in rows)
        raise Refused(node, attempt, f"several guests have that name: {places}", "rename all but one")
    found = None
    if rows and rows[0].get("node") == node:
        found = guests.read(node, str(rows[0]["type"]), int(rows[0]["vmid"]), attempt)
    if found is None:
        raise Refused(node, attempt, f"no guest {server.name} on this node", "import again")
    return found


def _problem(found: Found, guests: Guests, server: Server) -> tuple[str, str] | None:
    template = guests.fleet.templates.get(server.template, Template(server.template))
    if found.marks.fleet:
        return f"it belongs to fleet {found.marks.fleet}", "it was not touched; let go of it there first"
    if found.config.get("template"):
        return "it is a template", "a server is something that runs"
    if found.lock:
        return f"it is locked ({found.lock})", "try again once the task that works on it has ended"
    if dialect_of(template).kind != found.kind:
        answer = f"it is a {'container' if found.kind == 'lxc' else 'VM'}, and template {template.name} is of the other"
        return answer, "declare a template of its kind (vs_template, and kind in fleet_templates)"
    return None
