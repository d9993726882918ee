# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/import.md tells to type, typed: on a cluster of somebody else's."""

from __future__ import annotations

from pathlib import Path

import yaml
from double import Double
from support.documents import Desk, told
from support.playbooks import ROOT

PAGE = "docs/import.md"


def first_inventory(double: Double, folder: Path) -> str:
    """What the page says somebody begins with, for this cluster."""
    pki = folder / "pki"
    pki.mkdir()
    (pki / "proxmox.token").write_text(double.token)
    nodes = {
        node: {"node_address": "127.0.0.1", "node_port": port}
        for node, port in zip(double.endpoints, double.ports, strict=True)
    }
    fleet = {"fleet_name": "berlin", "fleet_engine": "proxmox", "fleet_pki_dir": str(pki)}
    fingerprint = {"node_fingerprint": double.fingerprint.replace(":", "").lower()}
    return yaml.safe_dump({"nodes": {"hosts": nodes, "vars": {**fleet, **fingerprint}}})


def test_what_the_page_tells_works(double: Double, tmp_path: Path) -> None:
    for number in (1, 2):
        address = f"ip=10.66.0.10{number}/24,gw=10.66.0.254"
        card = f"name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:0{number},{address},type=veth"
        double.add_guest(100 + number, "pve1", hostname=f"pbx0{number}", memory="512", cores="2", net0=card)
    desk = Desk(tmp_path, ROOT / "inventories" / "lab")
    (tmp_path / "first.yml").write_text(first_inventory(double, tmp_path))
    said = ""
    for each in told(PAGE):
        double.advance(20)
        said = desk.do(each, 120)
    assert "nothing to do" in said
    guests = double.world.cluster.guests.values()
    assert all("sy+fleet+berlin" in guest.tags for guest in guests)
