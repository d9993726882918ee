#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask from a node whether other nodes answer by the networks they share."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_reach
short_description: Ask from a node whether others answer
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Sends each target packets of the full length its network takes, from the node's own address in it.
  - Never fails because somebody does not answer. Whoever asks decides, usually over all nodes at once.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: N/A
    details: Changes nothing.
options:
  targets:
    description: Addresses to ask, as P(switchyard.fleet.network_targets#filter) makes them.
    type: list
    elements: dict
    required: true
    suboptions:
      network: {description: Name of the network., type: str, required: true}
      node: {description: Name of the other node., type: str, required: true}
      address: {description: Its address., type: str, required: true}
      source: {description: This node's address., type: str, required: true}
      mtu: {description: Longest packet the network takes., type: int, required: true}
"""

EXAMPLES = r"""
- name: Ask whether node2 answers on the storage network, at its full length
  switchyard.fleet.node_reach:
    targets:
      - {network: storage, node: node2, address: 10.66.0.12, source: 10.66.0.11, mtu: 9000}
"""

RETURN = r"""
unfit:
  description: Who does not answer, as M(switchyard.fleet.node_probe) tells what is wrong.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.reach import Target, ask


def main() -> None:
    """Ask, tell."""
    text = {"type": "str", "required": True}
    target = dict.fromkeys(("network", "node", "address", "source"), text) | {"mtu": {"type": "int", "required": True}}
    module = AnsibleModule(
        argument_spec={"targets": {"type": "list", "elements": "dict", "required": True, "options": target}},
        supports_check_mode=True,
    )
    wrong = ask(Target(**each) for each in module.params["targets"])
    unfit = [{"check": each.check, "found": each.found, "needed": each.needed} for each in wrong]
    module.exit_json(changed=False, unfit=unfit)


if __name__ == "__main__":
    main()
