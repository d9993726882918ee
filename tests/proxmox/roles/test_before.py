# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of the roles before there is any Proxmox VE: it does not stumble over what a real run brings first."""

from __future__ import annotations

from .conftest import Site


def test_a_check_on_a_machine_without_proxmox_ve_goes_to_its_end(site: Site) -> None:
    (site.folder / "bin/pvesh").unlink()
    (site.etc / "local/pve-ssl.pem").unlink()
    roles = ["proxmox_cluster", "proxmox_storage", "proxmox_template", "proxmox_access"]
    image = {"name": "debian", "url": "https://x.example/a.qcow2", "checksum": f"sha256:{'0a' * 32}", "storage": "tank"}
    wanted = {
        "proxmox_cluster_name": "berlin",
        "proxmox_storage_pools": [{"name": "tank", "devices": ["/dev/sdz"]}],
        "proxmox_storage_definitions": [{"name": "tank", "type": "zfspool", "pool": "tank"}],
        "proxmox_template_appliances": ["debian-13-standard"],
        "proxmox_template_machines": [image],
        "fleet_templates": {"small": {"build": "debian"}},
    }
    play = {"roles": [f"switchyard.fleet.{role}" for role in roles]}
    assert "pve1: make the cluster berlin" in site.play(play, "--check", **wanted)
