#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: See whether the inventory is sound
description:
  - Reads the whole inventory and checks every variable, and what nodes and servers say of each other.
  - Every mistake is told at once, with its host, variable, value, and what is accepted. No node is contacted.
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
  - module: switchyard.fleet.plan
"""

EXAMPLES = r"""
- name: Check the inventory before anything is touched
  switchyard.fleet.validate:
"""

RETURN = r"""
nodes:
  description: How many nodes the inventory declares.
  returned: success
  type: int
  sample: 3
servers:
  description: How many virtual servers the inventory declares.
  returned: success
  type: int
  sample: 16
mistakes:
  description: What is wrong, one entry per host and variable.
  returned: failure
  type: list
  elements: str
"""
