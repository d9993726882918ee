#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a Proxmox VE node, as a file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_interfaces
short_description: Write the network of a Proxmox VE node
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Writes what C(/etc/network/interfaces) is to be, from what is declared, beside it; nothing is put into use. The role
    C(proxmox_network) does that, on trial.
  - Refuses, with every mistake at once, what can be seen to cut the node off.
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns the file as it is and as it is to be.
    support: full
options:
  devices:
    description:
      - The devices. Each has C(name), and may have C(kind) (V(nic), V(bond), V(bridge) or V(vlan); default is by its
        name), C(addresses) (with prefix), C(gateway), C(gateway6), C(mtu) and C(comment).
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
- name: Write the network
  switchyard.fleet.proxmox_interfaces:
    management: 192.0.2.11
    devices:
      - {name: bond0, slaves: [eno1, eno2], mode: 802.3ad}
      - {name: vmbr0, ports: [bond0], addresses: [192.0.2.11/24], gateway: 192.0.2.1, vlan_aware: true}
"""

RETURN = r"""
devices:
  description: Names of the devices there will be, those that others are made of first.
  returned: always
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.facts import read as read_file
from ..module_utils.node.facts import resolve
from ..module_utils.node.interfaces import Mistaken, read, write

NOTE = "Managed by Ansible: role switchyard.fleet.proxmox_network. Changes made elsewhere do not last."


def main() -> None:
    """Read, write, tell."""
    module = AnsibleModule(
        argument_spec={
            "devices": {"type": "list", "elements": "dict", "required": True},
            "management": {"type": "str", "required": True},
            "file": {"type": "path", "default": "/etc/network/interfaces"},
            "staged": {"type": "path", "default": "/var/lib/switchyard/network/after"},
        },
        supports_check_mode=True,
    )
    options = module.params
    file, staged = Path(options["file"]), Path(options["staged"])
    try:
        devices = read(options["devices"], resolve(options["management"]))
    except Mistaken as error:
        module.fail_json(msg="the network was not touched:\n" + "\n".join(error.mistakes))
    before, after = read_file(file), write(devices, NOTE)
    changed = before != after
    pending = file.with_name(f"{file.name}.new")
    if changed and pending.exists():
        module.fail_json(
            msg=f"{pending} holds changes that somebody staged in the web interface: apply or revert them first"
        )
    if changed and not module.check_mode:
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(after, encoding="utf-8")
    module.exit_json(
        changed=changed,
        devices=[device.name for device in devices],
        diff={"before": before, "after": after, "before_header": str(file), "after_header": str(file)},
    )


if __name__ == "__main__":
    main()
