#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask servers again and again whether they serve."""

from __future__ import annotations

DOCUMENTATION = r"""
module: watch
short_description: Ask servers again and again whether they serve
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Asks each server several times a second, from where it runs, and tells the longest time each did not serve.
  - It ends when a file appears, so that it runs beside other tasks, with C(async) and C(poll=0).
attributes:
  check_mode:
    support: full
    description: It only asks.
  diff_mode:
    support: none
    description: There is nothing to change.
options:
  targets:
    description:
      - Server to C(address) and C(checks), each with C(type), C(port) and C(path), as C(vs_checks) has them.
      - Of a server without checks it is asked whether its address answers at all.
    type: dict
    required: true
  until:
    description: File that ends it by being there.
    type: path
    required: true
  interval:
    description: Seconds between two tries.
    type: float
    default: 0.1
  seconds:
    description: Seconds it lasts at most.
    type: float
    default: 1800
"""

EXAMPLES = r"""
- name: Watch two servers while something is done to their nodes
  switchyard.fleet.watch:
    targets:
      pbx01: {address: 192.0.2.101, checks: [{type: sip, port: 5060}]}
      pbx02: {address: 192.0.2.102}
    until: /tmp/over
  async: 600
  poll: 0
"""

RETURN = r"""
servers:
  description: What was seen of each server.
  returned: always
  type: dict
  contains:
    outage:
      description: The longest time between two good answers, or from the last one to the end, seconds.
      type: float
    began:
      description: When that began, seconds since the watch did.
      type: float
    serves:
      description: Whether it answered the last time.
      type: bool
    tries:
      description: How often it was asked.
      type: int
    good:
      description: How often it answered well.
      type: int
seconds:
  description: How long it lasted.
  returned: always
  type: float
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.fleet.model import Check
from ..module_utils.watching import Target, watch


def main() -> None:
    """Watch until it is over."""
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "dict", "required": True},
            "until": {"type": "path", "required": True},
            "interval": {"type": "float", "default": 0.1},
            "seconds": {"type": "float", "default": 1800.0},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        targets = {
            str(name): Target(
                str(each["address"]),
                tuple(
                    Check(str(check["type"]), int(check["port"]), str(check.get("path", "/")))
                    for check in each.get("checks") or ()
                ),
            )
            for name, each in params["targets"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        module.fail_json(msg=f"targets: {type(error).__name__}: {error}")
    began = time.monotonic()
    found = watch(targets, Path(params["until"]).exists, interval=params["interval"], seconds=params["seconds"])
    servers = {
        name: {
            "outage": round(seen.outage, 2),
            "began": round(seen.began, 2),
            "serves": seen.serves,
            "tries": seen.tries,
            "good": seen.good,
        }
        for name, seen in found.items()
    }
    module.exit_json(changed=False, servers=servers, seconds=round(time.monotonic() - began, 2))


if __name__ == "__main__":
    main()
