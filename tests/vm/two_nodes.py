# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two machines with a kernel of their own, as the roles leave a node; and a record in place of a cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from machines import HERE, Machine

REPOSITORY = HERE.parents[1]
PLACE = "/var/lib/incus/storage-pools/default/containers/pbx01"
LINES = f"{PLACE}/rootfs/lines"


def base() -> Path:
    """What the machines boot from."""
    built = Path(os.environ.get("SWITCHYARD_VM_BASE", "/var/cache/switchyard/vm"))
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not built.is_dir():
        pytest.skip(f"there is nothing to boot machines from in {built}; make vm builds it, and runs these")
    return built


def configuration(empty: str, members: Sequence[Machine]) -> str:
    """Pacemaker's, of a cluster whose members are all taken in, and which looks after both pairs of the two."""
    states = "".join(f'<node_state id="{m.number}" uname="{m.name}" join="member"/>' for m in members)
    pairs = "".join(
        f'<primitive id="{home}" class="ocf" provider="switchyard" type="pair"><instance_attributes id="{home}-p">'
        f'<nvpair id="{home}-h" name="home" value="{home}"/><nvpair id="{home}-b" name="backup" value="{backup}"/>'
        "</instance_attributes></primitive>"
        for home, backup in (("node1", "node2"), ("node2", "node1"))
    )
    told = empty.replace("<resources/>", f"<resources>{pairs}</resources>")
    return told.replace("<status/>", f"<status>{states}</status>")


def majority(machine: Machine, *, there: bool = True) -> None:
    """What crm_node says on it: both see each other, and are the majority; or it is cut off."""
    (machine.record / f"members-{machine.name}").write_text("node1 node2" if there else machine.name)
    (machine.record / f"quorum-{machine.name}").write_text("1" if there else "0")


def bundle() -> bytes:
    """The agent."""
    spec = importlib.util.spec_from_file_location("bundle", REPOSITORY / "plugins/plugin_utils/bundle.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: bytes = module.bundle(REPOSITORY / "plugins/module_utils")
    return made


def prepare(machine: Machine) -> None:
    """What the role brings to a node: the agent, its settings, DRBD's module; and a place for disks that lasts."""
    machine.wait()
    nodes = {
        name: {"address": f"10.99.7.{number}", "disk_address": f"10.99.7.{number}", "certificate": ""}
        for number, name in ((1, "node1"), (2, "node2"))
    }
    settings = {
        "fleet": "lab",
        "here": machine.name,
        "nodes": nodes,
        "certificate": "",
        "key": "",
        "protects": True,
        "disks": {"place": "/srv/disks", "secret": "s3cret"},
    }
    script = """
set -e
mkdir -p /etc/switchyard /srv/disks /usr/local/sbin /var/lib/drbd /var/lock
cat >/etc/switchyard/agent.json
cat >/usr/local/sbin/switchyard-agent <<'END'
#!/bin/sh
export CIB_file=/run/record/cib.xml PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
exec /usr/bin/python3 -I /run/tools/agent.py "$@" 2>>/run/record/fence.log
END
cat >/usr/local/sbin/crm_node <<'END'
#!/bin/sh
case $1 in -q) cat /run/record/quorum-$(hostname) ;; -p) cat /run/record/members-$(hostname) ;; esac
END
chmod 755 /usr/local/sbin/switchyard-agent /usr/local/sbin/crm_node
grep -q hacluster /etc/passwd || echo hacluster:x:990:990::/:/bin/false >>/etc/passwd
grep -q haclient /etc/group || echo haclient:x:990: >>/etc/group
echo 'global { usage-count no; } common { }' >/etc/drbd.d/global_common.conf
echo 'include "/run/switchyard/drbd.d/*.res";' >/etc/drbd.d/switchyard.res
modprobe drbd
blkid /dev/ubda || mkfs.ext4 -q /dev/ubda
mountpoint -q /srv/disks || mount /dev/ubda /srv/disks
"""
    machine.run("sh", "-c", script, given=json.dumps(settings))


def until(what: Callable[[], bool], seconds: float = 900.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(1)


def acknowledged(machine: Machine) -> int:
    told = machine.record / "acknowledged"
    lines = told.read_text().split() if told.exists() else []
    return int(lines[-1]) if lines else 0


def back(machine: Machine) -> None:
    machine.start()
    prepare(machine)


@contextmanager
def booted(folder: Path, memory: int = 384) -> Iterator[tuple[Machine, Machine]]:
    """node1 and node2, members of one cluster; off in the end."""
    tools, record = folder / "tools", folder / "record"
    tools.mkdir()
    record.mkdir()
    for program in (HERE / "inside").iterdir():
        shutil.copy(program, tools)
    (tools / "switchyard-agent.pyz").write_bytes(bundle())
    lan = 20000 + os.getpid() % 10000
    both = [Machine(f"node{number}", number, folder, base(), tools, record, lan, memory=memory) for number in (1, 2)]
    for machine in both:
        machine.start()
    try:
        both[0].wait()
        (record / "cib.xml").write_text(configuration(both[0].run("cibadmin", "--empty"), both))
        for machine in both:
            majority(machine)
        for machine in both:
            prepare(machine)
        yield both[0], both[1]
    finally:
        for machine in both:
            machine.kill()
