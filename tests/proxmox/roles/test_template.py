# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives come once, to every node or to the storage they share: whole runs of the role."""

from __future__ import annotations

from pathlib import Path

from .conftest import Site, changed

DEBIAN = "debian-12-standard_12.12-1_amd64.tar.zst"
MINE = "pbx_7_amd64.tar.zst"
DOWNLOAD = [{"filename": MINE, "url": "https://files.example.net/pbx", "checksum": f"sha256:{'0a' * 32}"}]


def archives(site: Site, storage: str = "local") -> set[tuple[str, str]]:
    found = site.double.world.cluster.volumes
    return {(node, volid.rpartition("/")[2]) for node, volid in found if volid.startswith(f"{storage}:vztmpl/")}


def test_each_node_fetches_what_it_lacks_and_a_second_run_nothing(site: Site) -> None:
    wanted = {"proxmox_template_appliances": ["debian-12-standard"], "proxmox_template_downloads": DOWNLOAD}
    before = archives(site)
    said = site.role("proxmox_template", "--check", "--diff", hosts="nodes", **wanted)
    assert changed(said) == 1 and DEBIAN in said and archives(site) == before
    site.role("proxmox_template", hosts="nodes", **wanted)
    assert archives(site) - before == {(node, name) for node in ("pve1", "pve2") for name in (DEBIAN, MINE)}
    assert changed(site.role("proxmox_template", hosts="nodes", proxmox_template_login=site.login, **wanted)) == 0


def test_on_a_shared_storage_it_comes_once_and_nonsense_is_told(site: Site) -> None:
    shared = {"proxmox_template_storage": "shared", "proxmox_template_downloads": DOWNLOAD}
    site.role("proxmox_template", hosts="nodes", **shared)
    assert {name for _node, name in archives(site, "shared")} >= {MINE}
    assert changed(site.role("proxmox_template", hosts="nodes", **shared)) == 0
    said = site.role("proxmox_template", check=False, proxmox_template_appliances=["plan9"])
    assert "plan9: Proxmox offers no such template" in said
    said = site.role("proxmox_template", check=False, **{**shared, "proxmox_template_storage": "local-zfs"})
    assert "storage local-zfs takes no templates of containers there" in said


def test_an_archive_of_ones_own_is_put_where_the_storage_keeps_them(site: Site, tmp_path: Path) -> None:
    store = tmp_path / "template/cache"
    store.mkdir(parents=True)
    command = site.folder / "bin/pvesm"
    command.write_text(f'#!/bin/sh\necho "{store}/${{2##*/}}"\n')
    command.chmod(0o755)
    (tmp_path / MINE).write_bytes(b"archive")
    wanted = {"proxmox_template_files": [str(tmp_path / MINE)]}
    assert changed(site.role("proxmox_template", **wanted)) == 1
    assert (store / MINE).read_bytes() == b"archive"
    assert changed(site.role("proxmox_template", **wanted)) == 0
    (tmp_path / "pbx.tar").write_bytes(b"")
    said = site.role("proxmox_template", check=False, proxmox_template_files=[str(tmp_path / "pbx.tar")])
    assert "is not called NAME_VERSION_amd64.tar.zst" in said


MACHINE = {
    "name": "debian",
    "version": "13.1",
    "url": "https://files.example.net/genericcloud.qcow2",
    "checksum": f"sha256:{'0a' * 32}",
    "storage": "local-zfs",
}


def test_a_vm_template_is_made_once_and_one_that_was_cut_off_is_finished(site: Site) -> None:
    guests, wanted = site.double.world.cluster.guests, {"proxmox_template_machines": [MACHINE]}
    assert changed(site.role("proxmox_template", "--check", **wanted)) == 1 and not guests
    site.role("proxmox_template", **wanted)
    (made,) = guests.values()
    assert (made.name, made.template, made.node) == ("debian-13.1", True, "pve1")
    assert made.config["scsi0"].startswith("local-zfs:base-") and "cloudinit" in made.config["ide2"]
    assert changed(site.role("proxmox_template", proxmox_template_login=site.login, **wanted)) == 0
    made.config.pop("template")
    assert changed(site.role("proxmox_template", **wanted)) == 1
    assert made.template and len(guests) == 1
    site.double.add_guest(500, "pve1", "qemu", name="debian-13.2")
    said = site.role("proxmox_template", check=False, proxmox_template_machines=[{**MACHINE, "version": "13.2"}])
    assert "guest 500 bears its name and is something else" in said
