#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Reach a goal
description:
  - Plans as M(switchyard.fleet.plan) does, takes the fleet's lock, plans again from what is there then, and carries
    the plan out, side by side within the limits of each node, with a line for each finished step.
  - On the first failure nothing more is begun; running steps end, and the error says what is done and what remains.
    Run again, it goes on from what it finds.
  - A plan that cannot be carried out as a whole is not begun.
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
      - V(failover) starts what O(nodes) or O(failure_domain) carried on its backups, from its replicas. Refused for a
        node that answers, and for one that neither was seen off (O(fenced)) nor was told twice to be dead (O(dead) and
        O(sure)). The playbook of this name cuts the power of the nodes first, and is the way to use it.
      - V(failback) brings home what a failover sent away, one server after the other.
    type: str
    choices: [converge, balance, migrate, drain, undrain, failover, failback, dedicate]
    default: converge
  plan:
    description:
      - A plan saved by O(switchyard.fleet.plan#module:save), to be carried out as it stands.
      - It is refused if the inventory or the fleet has changed since it was made.
        The other options must be those it was made with.
    type: path
  break_lock:
    description:
      - Token of a lock whose run is known to be gone, as the error about it names it.
      - A lock of a run that has ended on this machine, or that has given no sign of life for
        V(fleet_lock_ttl), is taken over without asking.
    type: str
    default: ""
notes:
  - Runs once for a whole play, in the controller, whatever the play's hosts are.
  - Reads the inventory groups V(nodes) and V(virtual_servers); what may stand in it is described in
    the collection's inventory reference.
  - Needs C(netaddr) and C(urllib3) where ansible-playbook runs.
seealso:
  - module: switchyard.fleet.plan
"""

EXAMPLES = r"""
- name: Bring up whatever is missing
  switchyard.fleet.apply:

- name: Carry out a plan somebody has read
  switchyard.fleet.apply:
    prune: [pbx-13]
    plan: /tmp/plan.json

- name: Move two customers to the best nodes there are for them
  switchyard.fleet.apply:
    goal: migrate
    servers: [pbx-041, pbx-042]

- name: Even out the load, by half according to what servers really take
  switchyard.fleet.apply:
    goal: balance
    measured: 0.5
    max_moves: 10
"""

RETURN = r"""
plan:
  description:
    - The plan as a document. Its schema is C(docs/plan.schema.json).
  returned: success
  type: dict
conditions:
  description: What has to be seen to before the goal can be reached.
  returned: when it cannot
  type: list
  elements: dict
  contains:
    subject:
      description: What it is about.
      type: str
    reason:
      description: What is missing, and how to see to it.
      type: str
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
done:
  description: Steps that are done, by id, in the order they ended.
  returned: when there was anything to do, not in check mode
  type: list
  elements: str
  sample: [create/pbx01, start/pbx01]
remaining:
  description: Steps that are not done.
  returned: when there was anything to do, not in check mode
  type: list
  elements: str
gaps:
  description: Seconds each server that moved was without service, by name.
  returned: when there was anything to do, not in check mode
  type: dict
  sample: {pbx01: 1.1}
failed_steps:
  description: Steps that failed.
  returned: when there was anything to do, not in check mode
  type: list
  elements: dict
  contains:
    step:
      description: The step's id.
      type: str
    error:
      description: What went wrong, where, and what to do.
      type: str
"""
