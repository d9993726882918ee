#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_settings
short_description: Say what the nodes' cluster is to be
description:
  - Reads the inventory, and says what of it Corosync and Pacemaker on the nodes need. No node is contacted.
  - The parameters of fence agents are in it, and may be secret. Use it with C(no_log).
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
  - module: switchyard.fleet.cluster_configuration
"""

EXAMPLES = r"""
- name: Read what the cluster is to be
  switchyard.fleet.cluster_settings:
  register: cluster
  run_once: true
  no_log: true
"""

RETURN = r"""
fleet:
  description: Name of the fleet.
  returned: success
  type: str
  sample: berlin
protected:
  description: Whether any server declares C(vs_failover=auto).
  returned: success
  type: bool
links:
  description: Addresses of each node by its name, link by link.
  returned: success
  type: dict
carriers:
  description: Nodes that carry servers.
  returned: success
  type: list
  elements: str
fences:
  description: How nodes are fenced; C(node), C(agent) and C(parameters).
  returned: success
  type: list
  elements: dict
device:
  description: The vote outside the cluster; C(host), C(address), C(port) and C(tls); empty if there is none.
  returned: success
  type: dict
mistakes:
  description: What is wrong, one entry per host and variable.
  returned: failure
  type: list
  elements: str
"""
