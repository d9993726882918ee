#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_report
short_description: Tell what a real drill came to
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - How long each server was away while a node was dead, where it runs now, and what the paper said. What the playbook
    C(drill) ends with.
  - Fails, naming them, where servers run twice, nowhere or do not serve.
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.looking
options:
  before:
    description: The node each server ran on, as RV(switchyard.fleet.drill#module:placement) told.
    type: dict
    required: true
  watched:
    description: What was seen of each server, as RV(switchyard.fleet.watch#module:servers) tells.
    type: dict
    required: true
  rehearsal:
    description: What the paper said, one of RV(switchyard.fleet.drill#module:drills).
    type: dict
    required: true
seealso:
  - module: switchyard.fleet.drill
  - module: switchyard.fleet.watch
"""

EXAMPLES = r"""
- name: Tell what the drill came to
  switchyard.fleet.drill_report:
    before: "{{ drill.placement }}"
    watched: "{{ watch.servers }}"
    rehearsal: "{{ drill.drills[0] }}"
"""

RETURN = r"""
servers:
  description:
    - What became of each server, C(server), its node C(before) and C(after), its longest C(outage) in seconds, the
      seconds that were C(expected), and what is C(wrong).
  returned: when the platform answers
  type: list
  elements: dict
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
"""
