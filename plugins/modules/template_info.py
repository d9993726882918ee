#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: template_info
short_description: Which versions of templates there are, and who runs which
description:
  - Tells of every version of a template that the inventory declares, a node holds, or a server was made from.
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.looking
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
options:
  name:
    description: Only these templates.
    type: list
    elements: str
    aliases: [names]
seealso:
  - module: switchyard.fleet.template
  - module: switchyard.fleet.virtual_server_info
"""

EXAMPLES = r"""
- name: Look at all templates
  switchyard.fleet.template_info:
  register: found

- name: Name the servers that still run an old version
  ansible.builtin.debug:
    msg: "{{ found.templates | rejectattr('declared') | map(attribute='servers') | flatten }}"
"""

RETURN = r"""
templates:
  description: The versions, by name and version.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Template., type: str, sample: pbx}
    version: {description: Version., type: str, sample: "3"}
    declared: {description: Whether it is the version the inventory declares., type: bool}
    nodes: {description: Nodes that hold it., type: list, elements: str, sample: [node1]}
    servers: {description: "Servers made from it, of this fleet and others.", type: list, elements: str}
    taken_from: {description: "Server it was taken from; empty if it was built.", type: str}
    size_mib: {description: Size of its image; V(null) where the platform does not tell., type: int, sample: 92}
    created: {description: "When it was made, as the platform writes times.", type: str}
    unused:
      description: Whether it is this fleet's, and neither declared nor used, so that it may be removed.
      type: bool
table:
  description: The same for people.
  returned: success
  type: str
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 21
"""
