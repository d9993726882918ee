#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_settings
short_description: Say what the nodes' agents have to know of the fleet
description:
  - Reads the inventory, and the certificates of nodes in C(fleet_pki_dir), and says what of it belongs in the file the
    agents on the nodes read. It is the same for all nodes. No node is contacted.
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: There is nothing to change.
options: {}
notes:
  - Runs once for a whole play, in the controller, whatever the play's hosts are.
  - Needs C(netaddr) where ansible-playbook runs.
seealso:
  - module: switchyard.fleet.agent_bundle
"""

EXAMPLES = r"""
- name: Read what the agents have to know
  switchyard.fleet.agent_settings:
  register: agents
  run_once: true
"""

RETURN = r"""
fleet:
  description: Name of the fleet.
  returned: success
  type: str
  sample: berlin
nodes:
  description: Names of all its nodes, in the inventory's order.
  returned: success
  type: list
  elements: str
replicated:
  description: Whether any server declares C(vs_replication) or C(vs_failover).
  returned: success
  type: bool
protected:
  description: Whether any server declares C(vs_failover=auto).
  returned: success
  type: bool
in_step:
  description: Names of servers that declare C(vs_replication=sync).
  returned: success
  type: list
  elements: str
disks:
  description: The nodes that need a place for the disks of such servers, and what they declare (C(node_sync_disks)).
  returned: success
  type: dict
settings:
  description:
    - The content of the file, but for what differs from node to node. Nodes that were never installed are not in it.
  returned: success
  type: dict
mistakes:
  description: What is wrong, one entry per host and variable.
  returned: failure
  type: list
  elements: str
"""
