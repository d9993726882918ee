#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill
short_description: Tell what every failure would come to
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - For every node and every failure domain, who would run again where, in which order, after how long and with data how
    old; and who would not, and why. On paper, nothing is changed.
  - Times are estimates, by the rates the engine tells. What the platform starts by itself is counted from the failure,
    what a person starts from the moment the playbook C(failover) begins to.
extends_documentation_fragment:
  - switchyard.fleet.controller
attributes:
  check_mode:
    support: full
    description: It only looks; with O(save), the file is not written.
  diff_mode:
    support: none
    description: There is nothing to change.
options:
  nodes:
    description: Only the failures of these nodes. Names, groups and patterns, as for hosts of a play.
    type: list
    elements: str
    default: []
  save:
    description: File to write it to, as JSON.
    type: path
seealso:
  - module: switchyard.fleet.plan
"""

EXAMPLES = r"""
- name: See what every failure would come to
  switchyard.fleet.drill:

- name: Keep it for the monthly report
  switchyard.fleet.drill:
    save: /var/www/reports/drill.json
"""

RETURN = r"""
drills:
  description: One per node and failure domain that carries anything.
  returned: success
  type: list
  elements: dict
  contains:
    lost:
      description: What would die.
      type: str
    over:
      description: V(node) or V(failure_domain).
      type: str
    revivals:
      description:
        - Who would run again, in the order of their starts. C(server), C(node) it is on, C(to), start C(order),
          C(by_hand), C(seconds) until it serves, C(age) of its data in seconds, and whether it has its C(replica).
      type: list
      elements: dict
    down:
      description: Server that would stay down although it should run, and why.
      type: dict
    resting:
      description: Server that nothing starts elsewhere by its own declaration, and which.
      type: dict
placement:
  description: The node each server runs on.
  returned: success
  type: dict
targets:
  description: How to ask each of them whether it serves, for O(switchyard.fleet.watch#module:targets).
  returned: success
  type: dict
answering:
  description: Nodes that answered.
  returned: success
  type: list
  elements: str
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
"""
