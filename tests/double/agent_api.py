# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked inside of VMs: their agent, and cloud-init."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .guests import guest_of, read_config
from .routes import Call, route


@route(
    "POST /nodes/{node}/qemu/{vmid}/agent/ping",
    "POST /nodes/{node}/qemu/{vmid}/agent/exec",
    "GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces",
    "GET /nodes/{node}/qemu/{vmid}/agent/get-osinfo",
    "GET /nodes/{node}/qemu/{vmid}/agent/get-host-name",
)
def agent(call: Call) -> Generator[Wait, None, Any]:
    """Guests have no agent, unless it is said of them; finding that out takes three seconds."""
    guest = guest_of(call)
    if not guest.running:
        raise Refusal(f"VM {guest.vmid} is not running")
    if guest.config.get("agent", "0").startswith("1"):
        if guest.agent:
            return _answer(guest, call.path.rpartition("/")[2])
        yield 3.0
    raise Refusal("QEMU guest agent is not running")


def _answer(guest: Guest, asked: str) -> dict[str, Any]:
    """What an agent says: of networks what cloud-init was told."""
    if asked != "network-get-interfaces":
        return {"result": {"host-name": guest.name} if asked == "get-host-name" else {}}
    cards = [_card("lo", "00:00:00:00:00:00", "127.0.0.1/8")]
    for key, value in sorted(guest.config.items()):
        found = re.match(r"[a-z0-9_-]+=([0-9A-Fa-f:]{17})", value) if re.fullmatch(r"net\d+", key) else None
        if found:
            told = re.search(r"(?:^|,)ip=([^,]+/\d+)", guest.config.get(f"ipconfig{key[3:]}", ""))
            cards.append(_card(f"eth{key[3:]}", found[1].lower(), told[1] if told else ""))
    return {"result": cards}


def _card(name: str, hardware: str, cidr: str) -> dict[str, Any]:
    address, _slash, prefix = cidr.partition("/")
    row: dict[str, Any] = {"name": name, "hardware-address": hardware, "ip-addresses": []}
    if address:
        row["ip-addresses"].append({"ip-address": address, "ip-address-type": "ipv4", "prefix": int(prefix)})
    return row


CLOUDINIT = ("cipassword", "ciuser", "searchdomain", "nameserver", "sshkeys")


@route("GET /nodes/{node}/qemu/{vmid}/cloudinit")
def cloudinit(call: Call) -> list[dict[str, Any]]:
    """The keys cloud-init gets."""
    guest = guest_of(call)
    shown = read_config(call, "qemu", guest.config)
    return [{"key": key, "value": shown[key]} for key in CLOUDINIT if key in shown]


@route("PUT /nodes/{node}/qemu/{vmid}/cloudinit")
def cloudinit_update(call: Call) -> None:
    """Make the drive anew."""
    guest_of(call)


@route("GET /nodes/{node}/qemu/{vmid}/cloudinit/dump")
def cloudinit_dump(call: Call) -> str:
    """What cloud-init reads."""
    guest = guest_of(call)
    get = guest.config.get
    if call.params["type"] == "user":
        domain = get("searchdomain", "")
        fqdn = f"{guest.name}.{domain}" if domain else guest.name
        head = f"#cloud-config\nhostname: {guest.name}\nmanage_etc_hosts: true\n"
        return f"{head}fqdn: {fqdn}\nuser: {get('ciuser', 'root')}\n"
    if call.params["type"] == "network":
        return f"version: 1\nconfig:\n    - type: physical\n      name: eth0\n      # {get('ipconfig0', '')}\n"
    return f"instance-id: {guest.digest}\n"
