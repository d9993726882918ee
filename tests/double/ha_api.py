# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/cluster/ha: resources, rules (groups before version 9), status."""

from __future__ import annotations

import hashlib
from typing import Any

from .errors import Refusal
from .ha_choice import obstacles
from .ha_rules import Rule, problem
from .ha_services import Resource
from .hamanager import HaManager
from .routes import Call, route

OPTIONS = ("max_restart", "max_relocate", "comment", "group", "failback")
GONE = "ha groups have been migrated to rules"
MODIFIED = "detected modified configuration - file changed by other user? Try again."


def digest_of(what: object) -> str:
    """Changes with every change."""
    return hashlib.sha1(repr(what).encode()).hexdigest()


@route("GET /cluster/ha")
def index(call: Call) -> list[dict[str, str]]:
    """What there is below."""
    names = ["status", "resources", "groups"] + (["rules"] if call.world.cluster.major >= 9 else [])
    return [{"id": name} for name in names]


# ---------------------------------------------------------------- resources


def _row(ha: HaManager, resource: Resource) -> dict[str, Any]:
    kind = resource.sid.partition(":")[0]
    return {
        "sid": resource.sid,
        "type": kind,
        "state": resource.state,
        **resource.options,
        "digest": digest_of(ha.resources),
    }


def _sid(call: Call) -> str:
    """``ct:100``, or ``100`` made into it."""
    text = str(call.params["sid"])
    kind, colon, number = text.partition(":")
    if not colon:
        guest = call.world.cluster.guests.get(int(text))
        if guest is None:
            raise Refusal(f"unable to find guest with VMID '{text}'")
        return call.world.ha.sid(guest)
    if kind not in ("ct", "vm"):
        raise Refusal(f"unknown section type '{kind}'")
    return f"{kind}:{number}"


@route("GET /cluster/ha/resources")
def resources(call: Call) -> list[dict[str, Any]]:
    """All resources."""
    ha = call.world.ha
    return [_row(ha, r) for sid, r in ha.resources.items() if call.get("type") in (None, sid.partition(":")[0])]


@route("GET /cluster/ha/resources/{sid}")
def resource_read(call: Call) -> dict[str, Any]:
    """One resource."""
    sid = _sid(call)
    if sid not in call.world.ha.resources:
        raise Refusal(f"no such resource '{sid}'")
    return _row(call.world.ha, call.world.ha.resources[sid])


def _group(call: Call) -> None:
    if "group" not in call.params:
        return
    if call.world.cluster.major >= 9:
        raise Refusal(f"invalid parameter 'group': {GONE}")
    if call.params["group"] not in call.world.ha.groups:
        raise Refusal(f"HA group '{call.params['group']}' does not exist")


@route("POST /cluster/ha/resources")
def resource_create(call: Call) -> None:
    """Put a guest under HA."""
    ha = call.world.ha
    call.world.cluster.need_quorum()
    sid = _sid(call)
    _group(call)
    guest = call.world.cluster.guests.get(int(sid.partition(":")[2]))
    if guest is None:
        raise Refusal(f"resource '{sid}' does not exist in cluster")
    if ha.sid(guest) != sid:
        what = "a CT" if sid.startswith("ct") else "a VM"
        raise Refusal(f"resource '{sid}' - guest with ID {guest.vmid} is not {what}")
    if sid in ha.resources:
        raise Refusal(f"create resource failed: resource ID '{sid}' already defined")
    state = str(call.get("state", "started")).replace("enabled", "started")
    ha.resources[sid] = Resource(sid, state, {key: call.params[key] for key in OPTIONS if key in call.params})


@route("PUT /cluster/ha/resources/{sid}")
def resource_update(call: Call) -> None:
    """Change a resource, or the state it should have."""
    ha = call.world.ha
    call.world.cluster.need_quorum()
    sid = _sid(call)
    _group(call)
    if sid not in ha.resources:
        raise Refusal(f"update resources config failed: no such resource '{sid}'")
    if call.get("digest") and call.params["digest"] != digest_of(ha.resources):
        raise Refusal(f"update resources config failed: {MODIFIED}")
    resource = ha.resources[sid]
    if "state" in call.params:
        resource.state = str(call.params["state"]).replace("enabled", "started")
    resource.options |= {key: call.params[key] for key in OPTIONS if key in call.params}
    for key in str(call.get("delete", "")).replace(",", " ").split():
        resource.options.pop(key, None)


@route("DELETE /cluster/ha/resources/{sid}")
def resource_delete(call: Call) -> None:
    """Take a guest out of HA; with ``purge`` (the default) also out of the rules."""
    call.world.cluster.need_quorum()
    sid = _sid(call)
    if sid not in call.world.ha.resources:
        raise Refusal(f"cannot delete service '{sid}', not HA managed!")
    call.world.ha.remove(sid, bool(call.get("purge", 1)))


@route("POST /cluster/ha/resources/{sid}/migrate", "POST /cluster/ha/resources/{sid}/relocate")
def resource_move(call: Call) -> dict[str, Any]:
    """Wish it elsewhere. That the node is unknown or dead, nobody says."""
    ha, sid, node = call.world.ha, _sid(call), str(call.params["node"])
    if sid not in ha.resources:
        raise Refusal(f"resource '{sid}' is not HA managed")
    if ha.in_error(sid):
        raise Refusal(f"service '{sid}' in error state, must be disabled and fixed first")
    answer: dict[str, Any] = {"sid": sid, "requested-node": node}
    causes = obstacles(ha, sid, node)
    if causes:
        return {**answer, "blocking-resources": causes}
    ha.request_move(sid, node, call.path.rpartition("/")[2])
    together = ha.together(sid)
    return {**answer, **({"comigrated-resources": together} if together else {})}


# ---------------------------------------------------------------- rules


def _rule_row(call: Call, rule: Rule) -> dict[str, Any]:
    ha = call.world.ha
    row: dict[str, Any] = {"rule": rule.name, "type": rule.type, "resources": ",".join(rule.resources), **rule.options}
    row |= {"order": list(ha.rules).index(rule.name) + 1, "digest": digest_of(ha.rules)}
    wrong = problem(rule, list(ha.rules.values()), len(call.world.cluster.nodes))
    return {**row, **({"errors": {"resources": [wrong]}} if wrong else {})}


@route("GET /cluster/ha/rules")
def rules(call: Call) -> list[dict[str, Any]]:
    """All rules."""
    return [
        _rule_row(call, rule)
        for rule in call.world.ha.rules.values()
        if call.get("type") in (None, rule.type)
        and (not call.get("resource") or call.params["resource"] in rule.resources)
    ]


@route("GET /cluster/ha/rules/{rule}")
def rule_read(call: Call) -> dict[str, Any]:
    """One rule."""
    name = str(call.params["rule"])
    if name not in call.world.ha.rules:
        raise Refusal(f"no such ha rule '{name}'")
    return _rule_row(call, call.world.ha.rules[name])


def _check_rule(call: Call, rule: Rule, doing: str) -> None:
    world = call.world
    unknown = [sid for sid in rule.resources if sid not in world.ha.resources]
    if unknown:
        raise Refusal(f"{doing}: cannot use unmanaged resource(s) {', '.join(unknown)}.")
    strangers = [name for name in rule.nodes if name not in world.cluster.nodes]
    if strangers:
        raise Refusal(f"{doing}: cannot use non-existent node(s) {', '.join(strangers)}.")
    wrong = problem(rule, list(world.ha.rules.values()), len(world.cluster.nodes))
    if wrong:
        raise Refusal(f"{doing}: 400 Rule '{rule.name}' is invalid.\nresources: {wrong}\n")


def comma_list(text: Any) -> list[str]:
    """The parts of a list."""
    return [part for part in str(text).replace(";", ",").replace(" ", ",").split(",") if part]


@route("POST /cluster/ha/rules")
def rule_create(call: Call) -> None:
    """A new rule; one that contradicts the others is refused, and why is only in the body."""
    ha, name, kind = call.world.ha, str(call.params["rule"]), str(call.params["type"])
    call.world.cluster.need_quorum()
    needed = "nodes" if kind == "node-affinity" else "affinity"
    if needed not in call.params:
        raise Refusal(f"missing value for required option '{needed}'")
    if name in ha.rules:
        raise Refusal(f"create ha rule failed: HA rule '{name}' already defined")
    kept: dict[str, Any] = {
        key: call.params[key] for key in ("nodes", "strict", "affinity", "comment", "disable") if key in call.params
    }
    rule = Rule(name, kind, comma_list(call.params["resources"]), kept)
    _check_rule(call, rule, "create ha rule failed")
    ha.rules[name] = rule


@route("PUT /cluster/ha/rules/{rule}")
def rule_update(call: Call) -> None:
    """Change a rule; its type must be named again."""
    ha, name = call.world.ha, str(call.params["rule"])
    call.world.cluster.need_quorum()
    if name not in ha.rules:
        raise Refusal(f"update HA rules failed: HA rule '{name}' does not exist")
    rule = ha.rules[name]
    if rule.type != call.params["type"]:
        raise Refusal("update HA rules failed: unexpected property 'type'")
    if call.get("digest") and call.params["digest"] != digest_of(ha.rules):
        raise Refusal(f"update HA rules failed: {MODIFIED}")
    kept: dict[str, Any] = {
        key: call.params[key] for key in ("nodes", "strict", "affinity", "comment", "disable") if key in call.params
    }
    removed = comma_list(call.get("delete", ""))
    options = {key: value for key, value in {**rule.options, **kept}.items() if key not in removed}
    options = {key: value for key, value in options.items() if key not in ("strict", "disable") or value}
    changed = Rule(name, rule.type, comma_list(call.get("resources", ",".join(rule.resources))), options)
    _check_rule(call, changed, "update HA rules failed")
    ha.rules[name] = changed


@route("DELETE /cluster/ha/rules/{rule}")
def rule_delete(call: Call) -> None:
    """A rule, gone; whether it was there is all the same."""
    call.world.cluster.need_quorum()
    call.world.ha.rules.pop(str(call.params["rule"]), None)
