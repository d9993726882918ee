#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a node whether it is fit for the fleet, and what it lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_probe
short_description: Ask a node whether it is fit for the fleet
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Looks at a node before anything is changed there and says what makes it unfit, and what the role C(node) has to know
    to change only what is not in order.
  - Compares the node's clock with the controller's, the time the question was under way taken into account.
  - Never fails because a node is unfit. Whoever asks decides, usually over all nodes at once.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: N/A
    details: Changes nothing.
options:
  address:
    description: Management address of the node, or a name that the node itself resolves to it.
    type: str
    required: true
  port:
    description: TCP port of the engine's API.
    type: int
    default: 8443
  min_cores:
    description: Cores the node must have.
    type: int
    default: 1
  min_memory:
    description: Memory the node must have; MiB, or a number with a unit such as V(64GiB).
    type: raw
    default: 1GiB
  min_disk:
    description: >-
      Free space needed where servers are stored; MiB, or a number with a unit.
      A node that has its storage pools may be as full as it likes.
    type: raw
    default: 5GiB
  max_clock_skew:
    description: How far the node's clock may be from the controller's; seconds, or with a unit, V(500ms).
    type: raw
    default: 2s
  bridge:
    description: Bridge the servers are connected to.
    type: str
    default: vmbr0
  pools:
    description: Storage pools the node is to have, as M(switchyard.fleet.node_incus) takes them.
    type: list
    elements: raw
    default: []
  packages:
    description: Packages to ask dpkg about.
    type: list
    elements: str
    default: []
  known_certificate:
    description: The engine's certificate as it was known so far, PEM.
    type: str
    default: ""
  accept_certificate:
    description: Whether a certificate other than O(known_certificate) is acceptable.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask whether this machine could be a node
  switchyard.fleet.node_probe:
    address: 192.0.2.11
    min_memory: 64GiB
  register: probe

- name: Say what is wrong with it
  ansible.builtin.debug:
    var: probe.unfit
"""

RETURN = r"""
unfit:
  description: What is wrong with the node; empty if it is fit.
  returned: always
  type: list
  elements: dict
  contains:
    check: {description: What was looked at., type: str}
    found: {description: What the node has., type: str}
    needed: {description: What is needed., type: str}
  sample: [{check: cores, found: "2", needed: 4 or more}]
clock:
  description: The node's clock.
  returned: always
  type: dict
  contains:
    ahead: {description: Seconds the node's clock is ahead of the controller's; negative if it is behind., type: float}
    error: {description: Seconds the answer may be wrong by., type: float}
    limit: {description: Seconds asked for in O(max_clock_skew)., type: float}
facts:
  description: What the role has to know to change only what is not in order.
  returned: when the node can be looked at
  type: dict
  contains:
    address: {description: The IP address O(address) stands for., type: str}
    distribution: {description: Name and version, type: str, sample: debian 12}
    codename: {description: Code name of the distribution's release., type: str, sample: bookworm}
    packages: {description: Which of O(packages) are installed., type: list, elements: str}
    dpkg_interrupted: {description: Whether dpkg was cut off in the middle of its work., type: bool}
    engine_answers: {description: Whether an engine that is installed is running., type: bool}
    id_range: {description: Line for /etc/subuid and /etc/subgid if those there do not fit., type: str}
    backports: {description: A source of backports that apt lacks; its keys are C(uri) and C(signed_by)., type: dict}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.fleet.inventory.quantity import Unacceptable, mebibytes, seconds
from ..module_utils.node.facts import gather, resolve
from ..module_utils.node.pools import read_pools
from ..module_utils.node.preflight import Needs, Unfit, judge, nested_range

READERS: dict[str, Callable[[Any], Any]] = {
    "min_memory": mebibytes,
    "min_disk": mebibytes,
    "max_clock_skew": seconds,
    "pools": read_pools,
}


def as_result(unfit: Unfit) -> dict[str, str]:
    """An entry of the table."""
    return {"check": unfit.check, "found": unfit.found, "needed": unfit.needed}


def main() -> None:
    """Look, judge, tell."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 8443},
            "min_cores": {"type": "int", "default": 1},
            "min_memory": {"type": "raw", "default": "1GiB"},
            "min_disk": {"type": "raw", "default": "5GiB"},
            "max_clock_skew": {"type": "raw", "default": "2s"},
            "bridge": {"type": "str", "default": "vmbr0"},
            "pools": {"type": "list", "elements": "raw", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "known_certificate": {"type": "str", "default": ""},
            "accept_certificate": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    read: dict[str, Any] = {}
    for option, reader in READERS.items():
        try:
            read[option] = reader(wanted[option])
        except Unacceptable as refusal:
            module.fail_json(msg=f"{option}: {wanted[option]!r} is {refusal}")
    pools = read["pools"]
    address = resolve(wanted["address"])
    facts = gather(
        address,
        wanted["port"],
        wanted["bridge"],
        wanted["packages"],
        [pool.source for pool in pools],
    )
    needs = Needs(
        address=address,
        port=wanted["port"],
        cores=wanted["min_cores"],
        memory=read["min_memory"],
        disk=read["min_disk"],
        bridge=wanted["bridge"],
        drivers=tuple(pool.driver for pool in pools),
        pools=tuple(pool.name for pool in pools),
        known_certificate=wanted["known_certificate"],
        accept_certificate=wanted["accept_certificate"],
    )
    backports: dict[str, str] = {}
    if not facts.backports_offered and facts.mirror:
        backports = {"uri": facts.mirror.uri, "signed_by": facts.mirror.signed_by}
    module.exit_json(
        changed=False,
        clock={"limit": read["max_clock_skew"]},
        unfit=[as_result(unfit) for unfit in judge(facts, needs)],
        facts={
            "address": address,
            "distribution": f"{facts.distribution} {facts.version}",
            "codename": facts.codename,
            "packages": list(facts.packages),
            "dpkg_interrupted": facts.dpkg_interrupted,
            "engine_answers": facts.engine_answers,
            "id_range": "" if facts.id_ranges_fit else nested_range(facts.ids),
            "backports": backports,
        },
    )


if __name__ == "__main__":
    main()
