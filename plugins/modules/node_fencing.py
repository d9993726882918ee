#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node can be fenced as it is declared."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_fencing
short_description: Whether a node can be fenced as it is declared
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Asks a fence agent what it takes, compares that with what it is given, and has it tell the node's power state.
  - Runs on another node than the one it is about, as root. Changes nothing, and cuts nobody's power.
  - For V(watchdog) it runs on the node itself, and looks for one there.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: N/A
    details: Changes nothing.
options:
  node:
    description: The node that would be fenced.
    type: str
    required: true
  agent:
    description: Its fence agent, as in C(node_fence), or V(watchdog).
    type: str
    required: true
  parameters:
    description: What the agent is given.
    type: dict
    default: {}
  timeout:
    description: Seconds the agent may take to answer.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: See that node2 can be fenced
  switchyard.fleet.node_fencing:
    node: node2
    agent: "{{ hostvars.node2.node_fence.agent }}"
    parameters: "{{ hostvars.node2.node_fence.parameters }}"
"""

RETURN = r"""
power:
  description: What the agent says of the node's power, V(on) or V(off); empty for a watchdog.
  returned: always
  type: str
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.fencing import OWN, WATCHDOG, metadata, mistakes, secrets

_FOLDERS = ["/usr/sbin", "/sbin"]
_STATES = {0: "on", 2: "off"}
WATCHDOG_DEVICE = Path("/dev/watchdog")
"""The one sbd is told to use."""


def trouble(module: AnsibleModule) -> tuple[str, str]:
    """(what is wrong, power state)."""
    told: dict[str, Any] = module.params
    if told["agent"] == WATCHDOG:
        return watchdog_trouble(WATCHDOG_DEVICE), ""
    program = module.get_bin_path(told["agent"], opt_dirs=_FOLDERS) or shutil.which(told["agent"])
    if not program:
        return f"{told['agent']} is not installed, and no package named in failover_fence_packages brings it", ""
    status, text, error = module.run_command(["timeout", str(told["timeout"]), program, "-o", "metadata"])
    known = metadata(text) if status == 0 else None
    if known is None:
        return f"{told['agent']} does not say what it takes: {(error or text).strip()[:300]}", ""
    parameters = {name: str(value) for name, value in told["parameters"].items()}
    if wrong := mistakes(known, parameters):
        return f"{told['agent']} {', '.join(wrong)}", ""
    return ask(module, program, parameters)


def watchdog_trouble(device: Path) -> str:
    """Why a node cannot reset itself; empty: it can, as far as can be told without doing it."""
    if device.is_char_device():
        return ""
    return f"there is no {device}: load its driver, or fence the node by its power"


def ask(module: AnsibleModule, program: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """(what is wrong, power state), after the agent's own look at the node's power."""
    told: dict[str, Any] = module.params
    lines = [f"{name}={value}" for name, value in parameters.items() if not name.startswith(OWN)]
    if not {"plug", "port"} & parameters.keys():
        # As Pacemaker does, for agents that take one.
        lines.append(f"nodename={told['node']}")
    asked = "\n".join([*lines, "action=status", ""])
    status, text, error = module.run_command(["timeout", str(told["timeout"]), program], data=asked)
    if status in _STATES:
        return "", _STATES[status]
    said = (error or text).strip().splitlines() or [f"exit status {status}"]
    return f"{told['agent']} cannot tell the power state: {said[-1][:300]}", ""


def main() -> None:
    """Ask, tell."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "agent": {"type": "str", "required": True},
            "parameters": {"type": "dict", "default": {}, "no_log": False},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    module.no_log_values.update(secrets({key: str(value) for key, value in module.params["parameters"].items()}))
    wrong, power = trouble(module)
    if wrong:
        module.fail_json(msg=f"{module.params['node']}, node_fence: {wrong}")
    module.exit_json(changed=False, power=power)


if __name__ == "__main__":
    main()
