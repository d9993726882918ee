#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: template
short_description: A template taken from a server, or a version removed
description:
  - Makes a template of what is on the disk of a server, which goes on as it is, running or not; or removes a version of
    a template that nobody uses.
  - What servers must not have in common is not in the template. These are the machine's own id, SSH's host keys, that
    its first boot is over, and all that is written anew at each start (name, addresses, keys of people). What else is
    on the server's disk is. See to it that no customer's data is.
  - Only for Incus. Templates are built by the role C(template), and on Proxmox VE by the role C(proxmox_template).
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.changing
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
options:
  name:
    description: The template's name. For O(state=present), one of C(fleet_templates).
    type: str
    required: true
  version:
    description: The version. Default for O(state=present) is the one C(fleet_templates) declares, and no other will do.
    type: str
  state:
    description:
      - V(present) is held by at least one node. Where none does, it is taken from O(from_server).
      - V(absent) is held by no node. A version that the inventory declares, that a server was made from, or that
        another fleet built is not removed; the task fails.
    type: str
    choices: [present, absent]
    default: present
  from_server:
    description: The server it is taken from.
    type: str
seealso:
  - module: switchyard.fleet.template_info
"""

EXAMPLES = r"""
# fleet_templates: {pbx: {from: pbx07, version: 4}}
- name: Make a template of a server that was set up by hand
  switchyard.fleet.template:
    name: pbx
    from_server: pbx07

- name: Remove a version nobody uses
  switchyard.fleet.template:
    name: pbx
    version: "3"
    state: absent
"""

RETURN = r"""
nodes:
  description: Nodes on which something was, or would be, changed.
  returned: success
  type: list
  elements: str
  sample: [node1]
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 34
"""
