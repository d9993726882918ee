#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_bundle
short_description: Put the agent on a node
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Builds the agent that looks after servers and replicas on a node, out of this collection, and copies it there as one
    file that Python runs.
  - The same release of the collection gives the same bytes, so a node that has them is left alone.
attributes:
  check_mode:
    description: Can run in check mode and return whether the file would change.
    support: full
  diff_mode:
    description: Says that the file differs; it is not text.
    support: partial
options:
  dest:
    description: Where it is to be, on the node. The directory exists. It belongs to root.
    type: path
    required: true
seealso:
  - module: switchyard.fleet.agent_settings
"""

EXAMPLES = r"""
- name: Install the agent
  switchyard.fleet.agent_bundle:
    dest: /usr/local/lib/switchyard/switchyard-agent.pyz
"""

RETURN = r"""
dest:
  description: Where it is.
  returned: success
  type: str
checksum:
  description: SHA-1 of the file, as M(ansible.builtin.copy) tells it.
  returned: success
  type: str
"""
