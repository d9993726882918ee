# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privileges and the roles every Proxmox VE brings along."""

from __future__ import annotations

PRIVILEGES = frozenset(
    [
        "Datastore.Allocate",
        "Datastore.AllocateSpace",
        "Datastore.AllocateTemplate",
        "Datastore.Audit",
        "Group.Allocate",
        "Mapping.Audit",
        "Mapping.Modify",
        "Mapping.Use",
        "Permissions.Modify",
        "Pool.Allocate",
        "Pool.Audit",
        "Realm.Allocate",
        "Realm.AllocateUser",
        "SDN.Allocate",
        "SDN.Audit",
        "SDN.Use",
        "Sys.AccessNetwork",
        "Sys.Audit",
        "Sys.Console",
        "Sys.Incoming",
        "Sys.Modify",
        "Sys.PowerMgmt",
        "Sys.Syslog",
        "User.Modify",
        "VM.Allocate",
        "VM.Audit",
        "VM.Backup",
        "VM.Clone",
        "VM.Config.CDROM",
        "VM.Config.CPU",
        "VM.Config.Cloudinit",
        "VM.Config.Disk",
        "VM.Config.HWType",
        "VM.Config.Memory",
        "VM.Config.Network",
        "VM.Config.Options",
        "VM.Console",
        "VM.GuestAgent.Audit",
        "VM.GuestAgent.FileRead",
        "VM.GuestAgent.FileSystemMgmt",
        "VM.GuestAgent.FileWrite",
        "VM.GuestAgent.Unrestricted",
        "VM.Migrate",
        "VM.PowerMgmt",
        "VM.Replicate",
        "VM.Snapshot",
        "VM.Snapshot.Rollback",
    ]
)

EIGHT = frozenset({"VM.Monitor"})  # until version 8
NINE = frozenset(name for name in PRIVILEGES if name.startswith("VM.GuestAgent.")) | {"VM.Replicate"}  # since version 9


def known(major: int) -> frozenset[str]:
    """The privileges of a version."""
    return PRIVILEGES if major >= 9 else PRIVILEGES - NINE | EIGHT


def roles(major: int) -> dict[str, frozenset[str]]:
    """The roles a version brings along."""
    if major >= 9:
        return dict(BUILT_IN_ROLES)
    older = {name: has - NINE for name, has in BUILT_IN_ROLES.items()}
    return {name: has | (EIGHT if "VM.Console" in has else frozenset()) for name, has in older.items()}


_AUDIT = "Datastore.Audit Mapping.Audit Pool.Audit SDN.Audit Sys.Audit VM.Audit VM.GuestAgent.Audit"
_USER = (
    "VM.Audit VM.Backup VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.GuestAgent.Audit VM.GuestAgent.FileRead "
    "VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.PowerMgmt"
)
_VM = " ".join(sorted(p for p in PRIVILEGES if p.startswith("VM.")))
_KEPT = (
    "Permissions.Modify", "Sys.PowerMgmt", "Sys.AccessNetwork", "Sys.Incoming", "Sys.Modify", "Realm.Allocate",
    "Mapping.Modify",
)  # fmt: skip

BUILT_IN_ROLES: dict[str, frozenset[str]] = {
    name: frozenset(privileges.split())
    for name, privileges in {
        "Administrator": " ".join(PRIVILEGES),
        "NoAccess": "",
        "PVEAdmin": " ".join(p for p in PRIVILEGES if p not in _KEPT),
        "PVEAuditor": _AUDIT,
        "PVEDatastoreAdmin": "Datastore.Allocate Datastore.AllocateSpace Datastore.AllocateTemplate Datastore.Audit",
        "PVEDatastoreUser": "Datastore.AllocateSpace Datastore.Audit",
        "PVEMappingAdmin": "Mapping.Audit Mapping.Modify Mapping.Use",
        "PVEMappingAuditor": "Mapping.Audit",
        "PVEMappingUser": "Mapping.Audit Mapping.Use",
        "PVEPoolAdmin": "Pool.Allocate Pool.Audit",
        "PVEPoolUser": "Pool.Audit",
        "PVESDNAdmin": "SDN.Allocate SDN.Audit SDN.Use",
        "PVESDNUser": "SDN.Audit SDN.Use",
        "PVESysAdmin": "Sys.Audit Sys.Console Sys.Syslog",
        "PVETemplateUser": "VM.Audit VM.Clone",
        "PVEUserAdmin": "Group.Allocate Realm.AllocateUser User.Modify",
        "PVEVMAdmin": _VM,
        "PVEVMUser": _USER,
    }.items()
}
