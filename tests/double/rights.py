# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody needs who creates a guest or changes its config, key by key."""

from __future__ import annotations

import re
from typing import Any

from .errors import forbidden, invalid_one
from .guests import bridges, disk
from .routes import Call

LXC = {
    "VM.Config.Disk": r"rootfs|mp\d+|unused\d+",
    "VM.Config.CPU": r"cores|cpulimit|cpuunits",
    "VM.Config.Memory": r"memory|swap",
    "VM.Config.Network": r"net\d+|nameserver|searchdomain|hostname",
    "VM.Config.Options": r"onboot|description|protection|startup|features|lock"
    r"|cmode|console|tty|timezone|arch|ostype|debug",
}
QEMU = {
    "VM.Config.CPU": r"cores|sockets|cpu|cpulimit|cpuunits|vcpus|numa\d*|affinity",
    "VM.Config.Memory": r"memory|balloon|shares",
    "VM.Config.Network": r"net\d+|ipconfig\d+|nameserver|searchdomain",
    "VM.Config.Cloudinit": r"ciuser|cipassword|citype|cicustom|ciupgrade|sshkeys",
    "VM.Config.HWType": r"acpi|machine|bios|scsihw|vga|kvm|watchdog|localtime|ostype|hotplug|rng0|tablet|audio0"
    r"|usb\d+|hostpci\d+",
    "VM.Config.Options": r"onboot|description|protection|startup|name|lock"
    r"|agent|boot|bootdisk|freeze|keyboard|smbios1",
}


def _vm_right(call: Call, vmid: int, pool: str, privilege: str) -> None:
    access = call.world.access
    if pool and access.may(call.user, f"/pool/{pool}", privilege):
        return
    access.need(call.user, f"/vms/{vmid}", privilege)


def check_new(call: Call, vmid: int, pool: str) -> None:
    """Whether somebody may have a new guest of this id, or in this pool."""
    access = call.world.access
    if pool and pool not in call.world.cluster.pools:
        raise forbidden(f"pool '{pool}' does not exist")
    if access.may(call.user, f"/vms/{vmid}", "VM.Allocate"):
        return
    if not (pool and access.may(call.user, f"/pool/{pool}", "VM.Allocate")):
        raise forbidden()


def check_keys(call: Call, kind: str, vmid: int, pool: str, values: dict[str, Any]) -> None:
    """The right for every key of a config that is to be written."""
    if call.user == "root@pam":
        return
    if kind == "lxc" and "unprivileged" in values and not int(values["unprivileged"]):
        call.world.access.need(call.user, "/", "Sys.Modify")
    for key, value in values.items():
        if key == "hookscript":
            raise forbidden("changing the hookscript is only allowed for root@pam")
        if kind == "lxc" and key == "features" and re.sub(r"nesting=[01],?", "", str(value)).strip(","):
            raise forbidden("changing feature flags (except nesting) is only allowed for root@pam")
        if re.fullmatch(r"mp\d+|rootfs", key) and disk(key, str(value)).bind:
            raise forbidden("mount point type bind is only allowed for root@pam")
        if key == "tags":
            check_tags(call, vmid, str(value))
            continue
        if kind == "qemu" and re.fullmatch(r"(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+", key):
            for privilege in _drive(str(value)):
                _vm_right(call, vmid, pool, privilege)
        for privilege, pattern in (LXC if kind == "lxc" else QEMU).items():
            if re.fullmatch(pattern, key):
                _vm_right(call, vmid, pool, privilege)
    for bridge in bridges(kind, values):
        call.world.access.need(call.user, f"/sdn/zones/localnetwork/{bridge}", "SDN.Use")


def _drive(value: str) -> tuple[str, ...]:
    """What a VM's drive needs: a disk, a CD, or the drive cloud-init reads."""
    if "cloudinit" in value.partition(",")[0]:
        return ("VM.Config.Cloudinit", "VM.Config.CDROM")
    return ("VM.Config.CDROM",) if "media=cdrom" in value else ("VM.Config.Disk",)


def check_tags(call: Call, vmid: int, text: str) -> None:
    """Tags need a right on the guest itself (its pool does not help), and may be limited to a list."""
    access, options = call.world.access, call.world.cluster.options
    access.need(call.user, f"/vms/{vmid}", "VM.Config.Options")
    rule = options.get("user-tag-access", {})
    guest = call.world.cluster.guests.get(vmid)
    known = set(guest.tags) if guest else set()
    if rule.get("user-allow", "free") == "free" or access.may(call.user, "/", "Sys.Modify"):
        return
    allowed = set(re.split(r"[;, ]+", str(rule.get("user-allow-list", ""))))
    for tag in re.split(r"[;, ]+", text):
        if tag and tag not in known | allowed:
            raise forbidden(f"/, Sys.Modify for modifying tag '{tag}'")


def check_storage(call: Call, name: str, content: str = "rootdir") -> None:
    """Whether new volumes may go onto a storage."""
    storage = call.world.cluster.storage(name, call.node)
    if content not in storage.content:
        if content == "rootdir":
            raise invalid_one("storage", f"storage '{name}' does not support container directories")
        raise invalid_one("storage", f"storage '{name}' does not support vm images")
    call.world.access.need(call.user, f"/storage/{name}", "Datastore.AllocateSpace")


def check_archive(call: Call, volid: str) -> None:
    """Whether an archive may be read."""
    name = volid.partition(":")[0]
    if ":" in volid:
        call.world.cluster.storage(name)
        call.world.access.need(call.user, f"/storage/{name}", "Datastore.AllocateSpace", "Datastore.Audit", anyone=True)
