#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: See whether every server serves
description:
  - Asks the platform where each declared server is, and each running one the checks it declares in V(vs_checks),
    side by side, from the controller.
  - Shows a table of the answers, and fails, naming them, if any declared server is missing, is not running, runs more
    than once, or gives a check no good answer.
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
attributes:
  check_mode:
    support: full
    description: It only looks.
  diff_mode:
    support: none
    description: There is nothing to change.
options:
  ignore:
    description: Servers that are not asked. Names, groups and patterns, as for hosts of a play.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for those that do not serve yet.
    type: float
    default: 0
notes:
  - Runs once for a whole play, in the controller, whatever the play's hosts are.
  - Reads the inventory groups V(nodes) and V(virtual_servers); what may stand in it is described in
    the collection's inventory reference.
  - Needs C(netaddr) and C(urllib3) where ansible-playbook runs.
seealso:
  - module: switchyard.fleet.apply
"""

EXAMPLES = r"""
- name: Ask every server
  switchyard.fleet.verify:
"""

RETURN = r"""
servers:
  description: What each declared server answered, by name.
  returned: when the platform answers
  type: dict
  sample:
    pbx01:
      node: node2
      address: 10.88.0.131
      good: true
      answer: http://10.88.0.131:80/ 3 ms
"""
