#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_import
short_description: Write an inventory of a site that exists
description:
  - Asks the platform for everything there is, and writes it down as an inventory that a person goes on with. On the
    nodes nothing is changed. Nodes, networks, classes, groups and servers are found; what no platform knows, such as
    what fails together, is left as a comment.
  - Guests that cannot be servers, for example because they get their address by DHCP, are told one by one with what
    to do about it, and stand in the inventory as comments.
  - What is written has been read back, and has no mistake in it. The same site gives the same text.
  - With O(adopt) nothing is written to files. The guests that the present inventory declares get this fleet's marks,
    and nothing else of them changes; from then on they are servers of the fleet, and what differs from the inventory
    is changed by M(switchyard.fleet.apply).
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
attributes:
  check_mode:
    support: full
    description: Nothing is written, and no guest is marked.
  diff_mode:
    support: full
    description: Shows the files, or the marks.
options:
  directory:
    description:
      - Directory of the inventory that is written. It is made where there is none.
      - Files that are there, and differ, are overwritten with O(force) only.
    type: path
  servers:
    description:
      - Which guests. Shell patterns of their names such as V(pbx*); those that begin with V(!) leave out. Everybody if
        left out.
      - With O(adopt), servers of the inventory. Names, groups and patterns, as for hosts of a play.
    type: list
    elements: str
  pin:
    description: Whether each server is tied to the node it is on, with V(vs_node).
    type: bool
    default: false
  force:
    description: Whether files that are there are overwritten.
    type: bool
    default: false
  adopt:
    description: Whether to make guests ours, instead of writing files.
    type: bool
    default: false
  break_lock:
    description: With O(adopt), the token of a lock whose run is known to be gone, as the error about it names it.
    type: str
    default: ""
notes:
  - Runs once for a whole play, in the controller, whatever the play's hosts are.
  - Needs an inventory with group V(nodes), C(fleet_engine), and for Incus every node; of a Proxmox VE cluster one
    node is enough.
  - On Proxmox VE one request is sent for each guest, here and nowhere else.
  - Needs C(netaddr) and C(urllib3) where ansible-playbook runs.
seealso:
  - module: switchyard.fleet.plan
"""

EXAMPLES = r"""
- name: Write down what is there
  switchyard.fleet.fleet_import:
    directory: inventories/berlin

- name: Write down the PBXs, all but one
  switchyard.fleet.fleet_import:
    directory: inventories/berlin
    servers: [pbx*, "!pbx03"]

- name: Make what is declared ours
  switchyard.fleet.fleet_import:
    adopt: true
"""

RETURN = r"""
files:
  description: The files of the inventory.
  returned: without O(adopt)
  type: list
  elements: str
servers:
  description: Servers that were found.
  returned: without O(adopt)
  type: list
  elements: str
left_out:
  description: Guests that were left out, by name, why, and what to do.
  returned: without O(adopt)
  type: dict
  sample:
    pbx07: net0 gets its address by DHCP; give it a fixed address on the platform, and import again
adopted:
  description: Guests that are ours now, or would be.
  returned: with O(adopt)
  type: list
  elements: str
refused:
  description: Those that were left alone, by name, and why.
  returned: with O(adopt)
  type: dict
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 112
"""
