#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Plan what a goal takes
description:
  - Reads the whole inventory, asks every node what it runs, and plans how to reach a goal.
  - The plan is shown with a reason for each step and each refusal, and can be saved. Nothing is changed.
  - A goal that cannot be reached is an error that says why.
extends_documentation_fragment:
  - switchyard.fleet.goals
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
attributes:
  check_mode:
    support: full
    description: Nothing is changed, and what would be is told.
  diff_mode:
    support: full
    description: Shows what changes, server by server.
options:
  goal:
    description:
      - What is to be reached.
      - V(converge) brings up every declared server, in its declared size and state.
        It never moves one, and deletes only what O(prune) names.
      - V(balance) spreads the load over the nodes with the fewest, cheapest moves.
      - V(migrate) moves O(servers) to O(node), or each to the best node.
      - V(drain) empties O(nodes) or O(failure_domain), and nothing new comes there until V(undrain).
      - V(dedicate) leaves O(servers) alone on O(node), everybody else elsewhere.
      - V(failover) tells where everything goes that O(nodes) or O(failure_domain) carry, once they are dead, and what
        has to be seen to before that may be carried out. It is told of nodes that are alive as well.
      - V(failback) brings home what a failover sent away.
      - V(capacity) tells how many more servers of O(class_name) fit, and what to buy for O(wanted); it is for reading
        only.
    type: str
    choices: [converge, balance, migrate, drain, undrain, failover, failback, capacity, dedicate]
    default: converge
  class_name:
    description: With O(goal=capacity), the class of the servers that are to be added.
    type: str
  survive:
    description:
      - With O(goal=capacity), what may still die with everything running afterwards. Any one node if left out;
        V(failure_domain) means any one node or failure domain.
    type: str
    choices: [nothing, node, failure_domain]
  wanted:
    description:
      - With O(goal=capacity), for how many more servers nodes are to be bought. The answer says how many, for each
        kind of node there is.
    type: int
  explain:
    description:
      - Servers to be explained instead of a goal being planned. Of every node, whether the server fits there, what
        that would do to the fleet, and why.
      - Names, groups and patterns, as for hosts of a play.
    type: list
    elements: str
  save:
    description:
      - File to write the plan to, as JSON, for O(switchyard.fleet.apply#module:plan).
      - With it, the task reports RV(ignore:changed=true) when the file changes.
    type: path
notes:
  - Runs once for a whole play, in the controller, whatever the play's hosts are.
  - Reads the inventory groups V(nodes) and V(virtual_servers); what may stand in it is described in
    the collection's inventory reference.
  - Needs C(netaddr) and C(urllib3) where ansible-playbook runs.
seealso:
  - module: switchyard.fleet.apply
"""

EXAMPLES = r"""
- name: See what is missing
  switchyard.fleet.plan:

- name: Save a plan, to be read by a second pair of eyes
  switchyard.fleet.plan:
    prune: [pbx-13]
    save: /tmp/plan.json

- name: See what draining two nodes would take
  switchyard.fleet.plan:
    goal: drain
    nodes: [node1, node2]

- name: See why a server is where it is
  switchyard.fleet.plan:
    explain: [pbx-042]
"""

RETURN = r"""
plan:
  description:
    - The plan as a document. Its schema is C(docs/plan.schema.json).
  returned: success
  type: dict
refusals:
  description: Why the goal cannot be reached.
  returned: when it cannot
  type: list
  elements: dict
  contains:
    subject:
      description: The server or template it is about.
      type: str
    reason:
      description: What is in the way.
      type: str
answering:
  description: Nodes that answered.
  returned: success
  type: list
  elements: str
  sample: [node2, node3]
awaited:
  description: With O(goal=failover), servers that the platform starts elsewhere by itself, which the plan leaves to it.
  returned: success
  type: list
  elements: str
  sample: [pbx01]
explained:
  description: What there is to say of each server, for a person to read.
  returned: with O(explain)
  type: dict
summary:
  description: What the plan comes to, in one line.
  returned: success
  type: str
  sample: "converge: 16 to create, 16 to start"
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 18
"""
