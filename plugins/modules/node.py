#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: One node's place in the fleet
description:
  - Says whether a node is one of the fleet's and answers, or whether it may leave, and puts it into maintenance or back
    into service.
  - It never moves a server. To empty a node, use O(switchyard.fleet.apply#module:goal=drain), which closes it first.
  - A node becomes one of the fleet's by being added to the group V(nodes) of the inventory and installed by the
    playbook C(site). It leaves by being taken out of that group.
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.changing
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
options:
  name:
    description: The node's name, exactly. No pattern.
    type: str
    required: true
  state:
    description:
      - V(present) is in the inventory and answers. Where it is not so, the task fails and says what to do.
      - V(absent) is in no inventory, or may be taken out of it, since nothing of the fleet is on it. It is closed to
        newcomers, so that this stays true. Where it carries anything, or does not answer, the task fails.
    type: str
    choices: [present, absent]
    default: present
  maintenance:
    description:
      - Whether the node is in maintenance. As it is, if left out.
      - The platform remembers it, and nothing new comes to the node, from any playbook or task, until it is back in
        service. What is on it stays and goes on; RV(notes) name it.
      - V(false) on a node that the inventory itself declares to be in maintenance (C(node_state)) does not open it.
    type: bool
seealso:
  - module: switchyard.fleet.node_info
  - module: switchyard.fleet.apply
"""

EXAMPLES = r"""
- name: See that a node is one of the fleet's and answers
  switchyard.fleet.node:
    name: node4

- name: Let nothing new come to a node whose disk is slow today
  switchyard.fleet.node:
    name: node2
    maintenance: true

- name: Put it back into service
  switchyard.fleet.node:
    name: node2
    maintenance: false

- name: See that a node may be taken out of the inventory
  switchyard.fleet.node:
    name: node1
    state: absent
"""

RETURN = r"""
node:
  description:
    - The node as it is now, or would be, as M(switchyard.fleet.node_info) tells it with C(gather_subset=servers).
    - V(null) for one nobody knows.
  returned: success
  type: dict
notes:
  description: Worth knowing, such as who stays on the node.
  returned: success
  type: list
  elements: str
summary:
  description: What it comes to, in one line.
  returned: success
  type: str
  sample: "node2: 1 to close"
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 12
done:
  description: Steps that are done.
  returned: when there was anything to do, not in check mode
  type: list
  elements: str
  sample: [maintenance/node2]
refusals:
  description: Why it cannot be, with C(subject) and C(reason).
  returned: when it cannot
  type: list
  elements: dict
"""
