# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that take a goal have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every goal; which goals a module takes, it says itself."""

    DOCUMENTATION = r"""
options:
  prune:
    description:
      - With O(goal=converge), servers of this fleet that are no longer in the inventory and are to be deleted, with
        their storage.
      - V(all) stands for every such server. Guests without this fleet's mark are never deleted.
    type: list
    elements: str
  restart:
    description:
      - With O(goal=converge), whether running servers may be restarted where a change needs it, for example a new
        address. Not if left out.
    type: bool
  servers:
    description:
      - The servers O(goal=migrate) moves, or O(goal=dedicate) gives a node to.
      - Names, groups and patterns, as for hosts of a play, such as V(pbx*) or V(pbxs:!pbx03).
    type: list
    elements: str
  node:
    description:
      - With O(goal=migrate), the node the servers move to. Left out, the best one for each, other than where it is.
      - With O(goal=dedicate), the node only O(servers) are to run on.
    type: str
  nodes:
    description:
      - The nodes O(goal=drain) empties, O(goal=undrain) brings back into service, or O(goal=failover) takes for dead.
      - With O(goal=failback), the homes servers go back to. All of them, if left out.
      - Names, groups and patterns, as for hosts of a play.
    type: list
    elements: str
  failure_domain:
    description:
      - With O(goal=drain), O(goal=undrain) or O(goal=failover), a failure domain all nodes of which are meant.
    type: str
  dead:
    description:
      - With O(goal=failover), nodes of which a person says that they are off, and stay off. Names alone.
      - It is believed of those that O(sure) names as well, and never of a node that answers. If it is not true, its
        servers run twice.
    type: list
    elements: str
  sure:
    description: With O(goal=failover), the same said a second time.
    type: list
    elements: str
  fenced:
    description:
      - With O(goal=failover), nodes whose power was cut, and seen off, by M(switchyard.fleet.fence) in the same run.
    type: list
    elements: str
  by_hand:
    description:
      - With O(goal=failover), whether servers that the platform starts by itself are started by this run as well.
        They are left to it if this is left out.
    type: bool
  to:
    description:
      - With O(goal=failback), where servers go. V(home), if left out, is where they were before the failover.
      - V(best) leaves those where they are that would break something at home, or leave the fleet less even; the notes
        say who and why.
    type: str
    choices: [home, best]
  hold:
    description:
      - With O(goal=failback), seconds a node has to have been up before anything goes back to it, 300 if left out.
        One that goes up and down is no home.
    type: float
  partial:
    description:
      - With O(goal=drain), whether to move what can be moved where something has to stay. Left out, nothing is
        begun then.
    type: bool
  measured:
    description:
      - With O(goal=balance), how much what servers really take counts beside what they declare, from V(0) (not at
        all, if left out) to V(1) (alone). What fits where is always a matter of what is declared.
      - Anything above V(0) has the nodes watched for a second.
    type: float
  max_moves:
    description: With O(goal=balance), how many servers may move at most. No limit if left out.
    type: int
  min_gain:
    description:
      - With O(goal=balance), by how much the balance has to improve for each move. Chosen from the size of the fleet
        if left out.
    type: float
  target:
    description:
      - With O(goal=balance), how good a balance is good enough, V(0) being perfect. Moves are made as long as they
        pay if left out.
    type: float
  ignore:
    description:
      - With O(goal=balance), servers that stay where they are. Names, groups and patterns, as for hosts of a play.
    type: list
    elements: str
  time_limit:
    description:
      - With O(goal=balance), how many seconds to look for a better plan; the best found so far is the answer.
        If left out, as much is tried as takes about five seconds in the largest fleets, whatever the clock says,
        so that the same input gives the same plan on every machine.
    type: float
"""
