# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each recording's scene: what its cluster held, and what changed in between without being recorded."""

from __future__ import annotations

from before import Step, calls, change, gone, granted, guest, ha, job, limited, past, pool, revive, revoked, rule, vm
from double import Double
from double.access import Grant, User
from double.seed import template

ALPINE = "shared:vztmpl/alpine-3.20-lab_20240101_amd64.tar.gz"


def ALWAYS(double: Double) -> None:
    """The recorded cluster: two cores, an alpine template, and a user who may only look."""
    cluster = double.world.cluster
    template(cluster, ALPINE, "pve1")
    for node in cluster.nodes.values():
        node.cores = 2
    cluster.storages["shared"].content = ["rootdir", "vztmpl", "iso", "images", "backup"]
    access = double.world.access
    access.users["lowly@pve"] = User("lowly@pve")
    access.grants.append(Grant("/", "user", "lowly@pve", "PVEAuditor"))


def thread(double: Double) -> None:
    """A disk with an option its controller does not know."""
    double.world.cluster.guests[1311].config["scsi0"] += ",iothread=1"


SITE: tuple[Step, ...] = (
    guest(901, "pve3", ip="191", running=True, tags="prod;shop", description="zfs, replicated, HA\n"),
    guest(902, "pve3", "shared:1", ip="192", running=True, tags="web"),
    guest(903, "pve3", "local:1", ip="193", running=True),
    guest(904, "pve1", "shared:1", ip="194", running=True, tags="web"),
    guest(905, "pve1", "local:1", ip="195"),
    calls(("POST", "/nodes/pve1/lxc/905/template", {})),
    guest(906, "pve3", "shared:1", ip="196", running=True),
    vm(911, "pve3", running=True, tags="db"),
    pool("site", 901, 902, comment="observed"),
    ha("ct:901", "ct:902", "ct:904", max_restart=2),
    ha("vm:911"),
    rule("keepapart", "ct:902", "ct:904"),
    job("901-0", "pve1"),
)
HA: tuple[Step, ...] = (
    guest(602, "pve2", "shared:1", ip="162", running=True),
    ha("ct:602"),
    guest(801, "pve1", "shared:1", ip="181"),
    guest(802, "pve1", "shared:1", ip="182"),
    guest(803, "pve1", "shared:1", ip="183"),
    vm(811),
)

BEFORE: dict[str, dict[int, tuple[Step, ...]]] = {
    "01-auth": {0: (guest(311),), 111: (gone(310),), 89: (calls(("POST", "/nodes/pve1/lxc/311/status/start", {})),)},
    "02-observe": {
        0: (
            *SITE,
            guest(801, "pve1", "shared:1", running=True),
            guest(802, "pve1", "shared:1", running=True),
            guest(803, "pve1", "shared:1"),
            vm(811),
            ha("vm:811", state="stopped"),
            guest(1201, "pve2", "shared:1", running=True),
            vm(1211, "pve2"),
            past(
                ("pve1", "vzstart", 803, "bridge 'vmbr55' does not exist"),
                ("pve3", "vzcreate", 902, "OK"),
                ("pve3", "vzmigrate", 801, "OK"),
            ),
        ),
        45: (past(("pve3", "vzmigrate", 801, "OK")),),
    },
    "03-lxc": {
        0: (
            pool("lxcpool"),
            guest(412, "pve1", "local:1"),
            guest(413, "pve1", "shared:1"),
            guest(901, "pve2"),
            ha("ct:901"),
        ),
        48: (past(*[("pve1", "vzstart", 404, "bridge 'vmbr99' does not exist")] * 2),),
        199: (lambda double: double.world.cluster.guests[402].config.pop("mp0", None),),
    },
    "04-qemu": {0: (pool("qpool"),), 57: (change(501, deaf=True),)},
    "05-migrate": {
        0: (
            lambda double: double.add_storage("only1", content="rootdir", nodes="pve1"),
            guest(601, ip="161"),
            guest(602, "pve1", "shared:1", ip="162", running=True),
            guest(603, "pve1", "local:1", ip="163"),
            guest(604, "pve1", "only1:1"),
            vm(611),
            vm(612, disk="local:1/qcow2"),
        )
    },
    "05b-migrate-ha-and-locks": {0: (guest(602, "pve2", "shared:1", ip="162"), guest(604, "pve1", "shared:1"))},
    "06-replication": {0: (guest(701, ip="171"), guest(702, "pve1", "local:1"), guest(703, "pve1", "shared:1"))},
    "07-ha": {0: HA, 105: (lambda double: double.faults.hold_guest(801, 25),)},
    "08-node-down": {0: SITE},
    "09-quorum-loss": {
        0: (
            *SITE,
            lambda double: double.world.ha.resources.clear() or double.world.ha.services.clear(),
            change(901, node="pve2"),
            guest(1601, "pve1", "local:1"),
            guest(1602),
            past(("pve1", "vzstart", 904, "OK")),
        ),
        68: (revive("pve2", "pve3"),),
        80: (change(904, running=False),),
    },
    "10-concurrency": {
        115: (calls(("POST", "/nodes/pve1/lxc/1000/snapshot", {"snapname": "base"})),),
        129: (calls(("POST", "/nodes/pve1/lxc/1032/template", {})),),
        151: (guest(1080, "pve1", "shared:1"),),
        164: (change(1080, node="pve1"),),
    },
    "10b-concurrency-qemu": {0: (vm(1501),), 23: (calls(("POST", "/nodes/pve1/qemu/1501/template", {})),)},
    "11-pools": {0: (guest(1150),)},
    "12-tasks-and-rest": {
        0: (
            vm(1211, "pve2", disk=""),
            pool("site", comment="observed"),
            guest(1201, "pve2", "shared:1", running=True),
            guest(1202, "pve2", "shared:1"),
            guest(1203, "pve2"),
            past(("pve2", "vzstart", 1201, "no")),
        ),
        28: (change(1201, running=True, deaf=True),),
        36: (change(1201, running=True, deaf=True),),
    },
    "13-warnings-and-half-applied": {
        0: (guest(1301, "pve1", "local:1"), vm(1311, scsihw="virtio-scsi-pci"), thread),
        8: (past(("pve1", "vzstart", 1, "no")),),
    },
    "14-rights-and-storage-supplement": {
        0: (limited, pool("p14"), granted("/storage/shared")),
        8: (revoked("/storage/shared"), granted("/storage/local")),
        9: (granted("/storage/shared"),),
    },
    "15-ha-disarm": {0: (*SITE,)},
}
