#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut, or restore, the power of another node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fence
short_description: Cut, or restore, the power of another node
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Cuts a node's power, and returns only once it was seen off. Nothing else makes it safe to start its servers
    elsewhere.
  - Runs on a node that is alive, as root. Where Pacemaker runs there it is asked, so that it knows; otherwise, or where
    it cannot, the fence agent is called directly, with its parameters on its standard input.
attributes:
  check_mode:
    description: Nothing is asked, and nothing done.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  node:
    description: The node whose power it is, by its name in the cluster and in the inventory.
    type: str
    required: true
  agent:
    description: The fence agent, as C(node_fence) of that node names it.
    type: str
    default: ""
  parameters:
    description: Its parameters, a dictionary as JSON (filter C(to_json)), so that all of them are kept secret.
    type: str
    default: "{}"
  state:
    description:
      - V(off) cuts the power, V(on) restores it.
      - V(confirmed) cuts nothing, and tells the cluster, where one runs, that a person has seen the node off.
    type: str
    choices: ["off", "on", confirmed]
    default: "off"
  timeout:
    description: Seconds the node may take to go off, or on.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Cut the power of a node that does not answer
  switchyard.fleet.fence:
    node: node1
    agent: "{{ hostvars.node1.node_fence.agent }}"
    parameters: "{{ hostvars.node1.node_fence.parameters | to_json }}"
  delegate_to: node2
"""

RETURN = r"""
seen_off:
  description: Whether the node was seen without power.
  returned: always
  type: bool
by:
  description: Who saw it.
  returned: with O(state=off)
  type: str
  sample: fence_ipmilan
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.power import Answer, Power, PowerError

_PLACES = ["/usr/sbin", "/usr/local/sbin", "/sbin"]


def main() -> None:
    """Cut it, and see."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "agent": {"type": "str", "default": ""},
            "parameters": {"type": "str", "default": "{}", "no_log": True},
            "state": {"type": "str", "choices": ["off", "on", "confirmed"], "default": "off"},
            "timeout": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, seen_off=False)

    def run(command: list[str], text: str) -> Answer | None:
        path = module.get_bin_path(command[0], opt_dirs=_PLACES)
        if path is None:
            return None
        status, out, err = module.run_command([path, *command[1:]], data=text)
        return status, f"{out}\n{err}"

    try:
        parameters = {str(name): str(value) for name, value in json.loads(params["parameters"]).items()}
    except (ValueError, AttributeError):
        module.fail_json(msg="parameters: not a dictionary as JSON", seen_off=False)
    power = Power(run, params["node"], params["agent"], parameters, params["timeout"])
    try:
        if params["state"] == "on":
            module.exit_json(changed=power.on(), seen_off=False)
        if params["state"] == "confirmed":
            module.exit_json(changed=power.confirm(), seen_off=False)
        by, was_on = power.off()
    except PowerError as error:
        module.fail_json(msg=f"{params['node']}: {error}", seen_off=False)
    module.exit_json(changed=was_on, seen_off=True, by=by)


if __name__ == "__main__":
    main()
