#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the agents of a fleet's nodes into a node's Incus."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_access
short_description: Let the agents of a fleet's nodes into a node's Incus
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Has a node's Incus trust the agent of that node, and those of the other nodes, restricted to the project default;
    and no longer those of nodes that left the fleet.
  - Limits how fast its storage pools copy to other nodes.
  - Compares first and changes only what differs. Clients not named C(switchyard-FLEET:NODE) are left alone.
  - Runs on the node, as root, and needs nothing there but Python and Incus.
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make; without Incus on the node, all of them.
    support: full
  diff_mode:
    description: Returns what would be, or was, changed.
    support: full
options:
  fleet:
    description: Name of the fleet.
    type: str
    required: true
  node:
    description: This node's name in the inventory.
    type: str
    required: true
  certificates:
    description: Certificates of agents, PEM, by the names of their nodes.
    type: dict
    default: {}
  nodes:
    description: Names of all nodes of the fleet. Of those not in O(certificates), what is trusted already stays.
    type: list
    elements: str
    default: []
  bandwidth:
    description:
      - Limit of each pool whose disks travel by rsync (drivers V(dir) and V(lvm)), in bytes per second, for example
        V(50MiB). Empty takes a limit away. Left out, pools stay as they are.
      - Incus has no limit for other drivers. Their pools are named in a warning.
    type: str
"""

EXAMPLES = r"""
- name: Let the agents in
  switchyard.fleet.agent_access:
    fleet: example
    node: node1
    certificates:
      node1: "{{ lookup('ansible.builtin.file', 'agents/node1.crt') }}"
      node2: "{{ lookup('ansible.builtin.file', 'agents/node2.crt') }}"
    nodes: [node1, node2, node3]
    bandwidth: 50MiB
"""

RETURN = r"""
unlimited:
  description: Names of the pools that no limit can be set for, where one is wanted.
  returned: always
  type: list
  elements: str
"""

import base64
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.agent_access import BANDWIDTH, LIMITED, Changes, Entry, access, bandwidth
from ..module_utils.node.facts import fingerprint
from ..module_utils.node.incus_socket import SOCKET, LocalError, LocalIncus


def carry_out(incus: LocalIncus, changes: Changes) -> None:
    """Who is to be let in first, so that nobody is shut out in between."""
    for entry in changes.trust:
        incus.send("POST", "/1.0/certificates", {**entry.body, "certificate": _der(entry)})
    for known, entry in changes.rewrite.items():
        incus.send("PUT", f"/1.0/certificates/{known}", {**entry.body, "certificate": entry.certificate})
    for known in changes.forget:
        incus.send("DELETE", f"/1.0/certificates/{known}", {})
    for pool, (_old, limit) in changes.pools.items():
        incus.send("PATCH", f"/1.0/storage-pools/{quote(pool, safe='')}", {"config": {BANDWIDTH: limit}})


def _der(entry: Entry) -> str:
    return base64.b64encode(ssl.PEM_cert_to_DER_cert(entry.certificate.strip())).decode()


def main() -> None:
    """Compare, change, tell."""
    module = AnsibleModule(
        argument_spec={
            "fleet": {"type": "str", "required": True},
            "node": {"type": "str", "required": True},
            "certificates": {"type": "dict", "default": {}},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "bandwidth": {"type": "str"},
        },
        supports_check_mode=True,
    )
    options: dict[str, Any] = module.params
    certificates = {str(name): str(pem) for name, pem in options["certificates"].items()}
    spoiled = sorted(name for name, pem in certificates.items() if not fingerprint(pem))
    if spoiled:
        module.fail_json(msg=f"certificates: not a PEM certificate: {', '.join(spoiled)}")
    asked = (options["fleet"], options["node"], certificates, options["nodes"])
    try:
        if module.check_mode and not SOCKET.exists():
            changes = access(*asked, [])
        else:
            with LocalIncus() as incus:
                changes = access(*asked, incus.get("/1.0/certificates?recursion=1") or [])
                limits = bandwidth(options["bandwidth"], incus.get("/1.0/storage-pools?recursion=1") or [])
                changes = replace(changes, pools=limits.pools, unlimited=limits.unlimited)
                if not module.check_mode:
                    carry_out(incus, changes)
    except LocalError as error:
        module.fail_json(msg=str(error))
    if changes.unlimited:
        names = ", ".join(changes.unlimited)
        module.warn(f"no bandwidth limit for {names}: Incus has one for pools of drivers {' and '.join(LIMITED)} only")
    module.exit_json(changed=bool(changes), diff=changes.diff(), unlimited=list(changes.unlimited))


if __name__ == "__main__":
    main()
