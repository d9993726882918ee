# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/cluster/ha/status: what the manager does, in its own words."""

from __future__ import annotations

from typing import Any

from .ha_services import Resource, Service
from .hamanager import HaManager
from .routes import Call, route


@route("GET /cluster/ha/status")
def index(call: Call) -> list[dict[str, str]]:
    """What there is below."""
    names = ["current", "manager_status"] + (["disarm-ha", "arm-ha"] if call.world.cluster.major >= 9 else [])
    return [{"name": name} for name in names]


def shown_state(resource: Resource | None, service: Service | None) -> str:
    """The state a person is shown, ahead of what the manager has got to."""
    if resource is None:
        return "deleting"
    wanted = resource.state
    if wanted == "ignored":
        return "ignored"
    if service is None:
        return "queued"
    if service.state == "stopped":
        return {"started": "starting", "disabled": "disabled"}.get(wanted, "stopped")
    if service.state == "started":
        if wanted in ("stopped", "disabled"):
            return "stopping"
        return "started" if service.running else "starting"
    if service.state == "error" and wanted == "disabled":
        return "clearing error flag"
    return service.state


@route("GET /cluster/ha/status/current")
def current(call: Call) -> list[dict[str, Any]]:
    """Quorum, master, nodes, services."""
    ha, quorate = call.world.ha, call.world.cluster.quorate
    no = f"No quorum on node '{call.via}'!"
    rows: list[dict[str, Any]] = [
        {"id": "quorum", "type": "quorum", "node": call.via, "quorate": int(quorate), "status": "OK" if quorate else no}
    ]
    if ha.resources or ha.services:
        rows += _managers(call, ha)
    return rows + [_service(call, sid) for sid in sorted({*ha.resources, *ha.services})]


def _managers(call: Call, ha: HaManager) -> list[dict[str, Any]]:
    moment, text = ha.stamp(ha.master)
    disarmed = f" - disarmed, resource mode: {ha.disarmed}" if ha.disarmed else ""
    rows: list[dict[str, Any]] = [
        {
            "id": "master",
            "type": "master",
            "node": ha.master,
            "timestamp": moment,
            "status": f"{ha.master} (active, {text}){disarmed}",
        }
    ]
    if call.world.cluster.major >= 9:
        watch = "armed (CRM watchdog active)"
        armed = "armed"
        if ha.disarmed:
            watch, armed = f"disarmed, resource mode: {ha.disarmed} (CRM watchdog released)", "disarmed"
        elif not call.world.cluster.nodes[ha.master].online or not call.world.cluster.quorate:
            watch, armed = "standby (CRM watchdog standby)", "standby"
        row = {"id": "fencing", "type": "fencing", "node": ha.master, "status": watch, "armed-state": armed}
        rows.append({**row, **({"resource_mode": ha.disarmed} if ha.disarmed else {})})
    for name, node in call.world.cluster.nodes.items():
        moment, text = ha.stamp(name)
        used = any(service.node == name for service in ha.services.values())
        how = "active, watchdog active" if used else "idle, watchdog standby"
        if not node.online:
            how = "old timestamp - dead?, watchdog standby"
        elif node.maintenance:
            how = "maintenance mode, watchdog standby" if not used else "maintenance mode, watchdog active"
        elif ha.disarmed:
            how = "disarm mode, watchdog released"
        rows.append(
            {"id": f"lrm:{name}", "type": "lrm", "node": name, "timestamp": moment, "status": f"{name} ({how}, {text})"}
        )
    return rows


def _service(call: Call, sid: str) -> dict[str, Any]:
    ha = call.world.ha
    resource, service, guest = ha.resources.get(sid), ha.services.get(sid), ha.guest(sid)
    node = service.node if service else guest.node if guest else ""
    state = shown_state(resource, service)
    row: dict[str, Any] = {"id": f"service:{sid}", "type": "service", "sid": sid, "node": node, "state": state}
    row["status"] = f"{sid} ({node}, {state})"
    if service:
        row["crm_state"] = service.state
    if resource:
        row |= {"request_state": resource.state}
        newer = (("failback", 1),) if call.world.cluster.major >= 9 else ()
        for key, default in (("max_restart", 1), ("max_relocate", 1), *newer):
            row[key] = resource.options.get(key, default)
        if resource.options.get("comment"):
            row["comment"] = resource.options["comment"]
        if resource.options.get("group"):
            row["group"] = resource.options["group"]
    return row


@route("GET /cluster/ha/status/manager_status")
def manager_status(call: Call) -> dict[str, Any]:
    """What the manager keeps in its files."""
    ha, cluster = call.world.ha, call.world.cluster
    services = {
        sid: {"node": s.node, "state": s.state, "uid": _digest(sid), **({"running": 1} if s.running else {})}
        | ({"target": s.target} if s.target else {})
        for sid, s in ha.services.items()
    }
    words = {name: ha.node_word(name) for name in cluster.nodes}
    status = {"master_node": ha.master, "timestamp": ha.last_round, "node_status": words, "service_status": services}
    if ha.disarmed:
        status["disarm"] = {"mode": ha.disarmed, "state": "disarmed"}
    lrm: dict[str, Any] = {
        name: {
            "mode": "maintenance" if node.maintenance else "active",
            "state": "maintenance" if node.maintenance else "active",
            "timestamp": ha.stamp(name)[0],
            "results": {},
        }
        for name, node in cluster.nodes.items()
    }
    quorum = {"node": call.via, "quorate": str(int(cluster.quorate))}
    return {"manager_status": status, "lrm_status": lrm, "quorum": quorum}


def _digest(sid: str) -> str:
    return f"uid-{sid}"


@route("POST /cluster/ha/status/disarm-ha")
def disarm(call: Call) -> None:
    """HA lets go of everything, cluster-wide."""
    call.world.ha.disarmed = str(call.params["resource-mode"])


@route("POST /cluster/ha/status/arm-ha")
def arm(call: Call) -> None:
    """HA takes hold again."""
    call.world.ha.disarmed = ""
