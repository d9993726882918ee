#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a node of Incus, as a file, and whether the node can have it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_interfaces
short_description: Write the network of a node of Incus
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Looks whether the node can have the network that is declared, and writes what C(/etc/network/interfaces) is to be
    beside it. Nothing is put into use. The role C(network) does that, on trial.
  - In check mode a node that cannot have it is a result, and not an error, so that whoever asks can tell what is wrong
    on all nodes at once.
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns the file as it is and as it is to be.
    support: full
options:
  interfaces:
    description:
      - The devices. Each has C(name), and may have C(kind) (V(nic), V(bond), V(bridge) or V(vlan); default is by its
        name), C(addresses) (with prefix), C(gateway), C(gateway6), C(mtu), C(comment) and C(network).
      - V(bridge) takes C(ports), C(vlan_aware), C(vids), C(stp), C(hwaddress).
      - V(bond) takes C(slaves), C(mode), C(primary), C(hash).
      - V(vlan) takes C(device) and C(tag), if its name does not say them.
      - Devices that others are made of need not be named.
    type: list
    elements: dict
    required: true
  management:
    description: Address the node is reached by. It has to be on one of the devices.
    type: str
    required: true
  file:
    description: The file in use.
    type: path
    default: /etc/network/interfaces
  staged:
    description: Where the new one is written, if it differs.
    type: path
    default: /var/lib/switchyard/network/after
"""

EXAMPLES = r"""
- name: Ask whether the node can have this network
  switchyard.fleet.node_interfaces:
    management: 192.0.2.11
    interfaces:
      - {name: vmbr0, ports: [eno1], addresses: [192.0.2.11/24], gateway: 192.0.2.1, network: management}
      - {name: vmbr1, ports: [eno2], addresses: [10.66.0.11/24], mtu: 9000, network: storage}
  check_mode: true
"""

RETURN = r"""
unfit:
  description: What is wrong, as M(switchyard.fleet.node_probe) tells it; empty if the node can have this network.
  returned: always
  type: list
  elements: dict
networks:
  description: Which networks the node is in, each with C(network), C(device), C(address) (with prefix) and C(mtu).
  returned: always
  type: list
  elements: dict
ifupdown2:
  description: Whether ifupdown2 is installed.
  returned: always
  type: bool
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.facts import read as read_file
from ..module_utils.node.facts import resolve
from ..module_utils.node.interfaces import Device, Mistaken, read, write
from ..module_utils.node.network_facts import gather, mtu
from ..module_utils.node.network_preflight import NetworkFacts, judge

NOTE = "Managed by Ansible: role switchyard.fleet.network. Changes made elsewhere do not last."
GUESTS = "^(veth|tap)"
"""Ports that Incus plugs servers into."""


def own_address(device: Device, facts: NetworkFacts) -> Device:
    """A bridge with the hardware address of its first port: otherwise it takes the lowest of all, which changes as
    servers come and go, and each time the node is out of its neighbours' reach for seconds."""
    port = next((name for name in device.lower if name in facts.links), "")
    if device.kind != "bridge" or not port or any(line.startswith("hwaddress ") for line in device.lines):
        return device
    return replace(device, lines=(*device.lines, f"hwaddress {facts.links[port]}"))


def networks(devices: list[Device]) -> list[dict[str, Any]]:
    """Each address in a network that has a name."""
    return [
        {"network": each.network, "device": each.name, "address": address, "mtu": each.mtu or mtu(each.name) or 1500}
        for each in devices
        if each.network
        for address in each.addresses
    ]


def main() -> None:
    """Look, judge, write, tell."""
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "dict", "required": True},
            "management": {"type": "str", "required": True},
            "file": {"type": "path", "default": "/etc/network/interfaces"},
            "staged": {"type": "path", "default": "/var/lib/switchyard/network/after"},
        },
        supports_check_mode=True,
    )
    options = module.params
    file, staged = Path(options["file"]), Path(options["staged"])
    facts = gather(file)
    result: dict[str, Any] = {"unfit": [], "networks": [], "ifupdown2": "ifupdown2" in facts.packages}
    try:
        devices = read(options["interfaces"], resolve(options["management"]))
    except Mistaken as error:
        needed = "see docs/howto-networks.md"
        result["unfit"] = [{"check": "node_interfaces", "found": each, "needed": needed} for each in error.mistakes]
        devices = []
    else:
        wrong = judge(facts, devices)
        result["unfit"] = [{"check": each.check, "found": each.found, "needed": each.needed} for each in wrong]
        result["networks"] = networks(devices)
    if result["unfit"]:
        if not module.check_mode:
            lines = [f"{each['found']}: needed: {each['needed']}" for each in result["unfit"]]
            module.fail_json(msg="node_interfaces: the network was not touched:\n" + "\n".join(lines), **result)
        module.exit_json(changed=False, **result)
    before, after = read_file(file), write([own_address(device, facts) for device in devices], NOTE, GUESTS)
    changed = before != after
    if changed and not module.check_mode:
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(after, encoding="utf-8")
    diff = {"before": before, "after": after, "before_header": str(file), "after_header": str(file)}
    module.exit_json(changed=changed, diff=diff, **result)


if __name__ == "__main__":
    main()
