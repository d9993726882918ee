#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a machine whether it may be, or is, a Proxmox VE node, and what it lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_probe
short_description: Ask a machine whether it may be a Proxmox VE node
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Looks at a machine before anything is changed there and says what makes it unfit, and what the role C(proxmox_node)
    has to know to change only what is not in order.
  - Compares its clock with the controller's, the time the question was under way taken into account.
  - Never fails because a machine is unfit. Whoever asks decides, usually over all of them at once.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: N/A
    details: Changes nothing.
options:
  name:
    description: What the inventory calls it. Its host name has to be the same.
    type: str
    required: true
  address:
    description: Its management address, or a name that it resolves to it.
    type: str
    required: true
  min_cores:
    description: Cores it must have.
    type: int
    default: 1
  min_memory:
    description: Memory it must have; MiB, or a number with a unit such as V(64GiB).
    type: raw
    default: 2GiB
  min_disk:
    description: Free space it must have before Proxmox VE is installed; MiB, or a number with a unit.
    type: raw
    default: 5GiB
  max_clock_skew:
    description: How far its clock may be from the controller's; seconds, or with a unit, V(500ms).
    type: raw
    default: 2s
  packages:
    description: Packages to ask dpkg about.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask whether this machine may be a Proxmox VE node
  switchyard.fleet.proxmox_probe:
    name: "{{ inventory_hostname }}"
    address: 192.0.2.11
    min_memory: 64GiB
  register: probe
"""

RETURN = r"""
unfit:
  description: What is wrong with it; empty if nothing is.
  returned: always
  type: list
  elements: dict
  contains:
    check: {description: What was looked at., type: str}
    found: {description: What it has., type: str}
    needed: {description: What is needed., type: str}
clock:
  description: Its clock.
  returned: always
  type: dict
  contains:
    ahead: {description: Seconds it is ahead of the controller's; negative if it is behind., type: float}
    error: {description: Seconds the answer may be wrong by., type: float}
    limit: {description: Seconds asked for in O(max_clock_skew)., type: float}
facts:
  description: What the role has to know.
  returned: when it can be looked at
  type: dict
  contains:
    codename: {description: Code name of its Debian., type: str, sample: trixie}
    release: {description: Version of Proxmox VE that belongs on it., type: int, sample: 9}
    version: {description: "Version of Proxmox VE it has; empty if none.", type: str}
    kernel: {description: The kernel that runs., type: str}
    own_kernel: {description: Whether that is Proxmox VE's., type: bool}
    debian_kernels: {description: Packages with a kernel of Debian's., type: list, elements: str}
    packages: {description: Which of O(packages) are installed., type: list, elements: str}
    dpkg_interrupted: {description: Whether dpkg was cut off in the middle of its work., type: bool}
"""

import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.fleet.inventory.quantity import Unacceptable, mebibytes, seconds
from ..module_utils.node.facts import gather, installed, listeners, resolve, run
from ..module_utils.node.proxmox_preflight import (
    IN_THE_WAY,
    PORTS,
    RELEASES,
    ProxmoxFacts,
    ProxmoxNeeds,
    judge,
    own_kernel,
)

READERS = {"min_memory": mebibytes, "min_disk": mebibytes, "max_clock_skew": seconds}
ABSENT = ("not-installed", "config-files")


def debian_kernels() -> list[str]:
    """Packages with a kernel that is not Proxmox VE's."""
    lines = run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", "linux-image-*").splitlines()
    states = [line.partition(" ")[::2] for line in lines]
    return sorted(name for state, name in states if state not in ABSENT and not name.endswith("-pve"))


def pve_version() -> str:
    """Of pve-manager: ``9.1.9``; empty: not installed."""
    shown = run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "pve-manager")
    state, _space, version = shown.partition(" ")
    return version if state == "installed" else ""


def main() -> None:
    """Look, judge, tell."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "min_cores": {"type": "int", "default": 1},
            "min_memory": {"type": "raw", "default": "2GiB"},
            "min_disk": {"type": "raw", "default": "5GiB"},
            "max_clock_skew": {"type": "raw", "default": "2s"},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    read = {}
    for option, reader in READERS.items():
        try:
            read[option] = reader(wanted[option])
        except Unacceptable as refusal:
            module.fail_json(msg=f"{option}: {wanted[option]!r} is {refusal}")
    address = resolve(wanted["address"])
    node = gather(address, min(PORTS), "vmbr0", list(IN_THE_WAY), [], storage=Path("/"))
    taken = [(port, each) for port, own in PORTS.items() for each in listeners(port, own)]
    facts = ProxmoxFacts(node, pve_version(), platform.release(), tuple(taken))
    needs = ProxmoxNeeds(wanted["name"], address, wanted["min_cores"], read["min_memory"], read["min_disk"])
    module.exit_json(
        changed=False,
        clock={"limit": read["max_clock_skew"]},
        unfit=[{"check": unfit.check, "found": unfit.found, "needed": unfit.needed} for unfit in judge(facts, needs)],
        facts={
            "codename": node.codename,
            "release": RELEASES.get(node.version, 0),
            "version": facts.version,
            "kernel": facts.kernel,
            "own_kernel": own_kernel(facts.kernel),
            "debian_kernels": debian_kernels(),
            "packages": list(installed(wanted["packages"])[0]),
            "dpkg_interrupted": node.dpkg_interrupted,
        },
    )


if __name__ == "__main__":
    main()
