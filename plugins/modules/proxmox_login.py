#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Proxmox VE node lets the controller in."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_login
short_description: Ask whether a Proxmox VE node lets the controller in
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Logs in as the fleet's engine does, with what C(fleet_pki_dir) holds, and says whether that works.
  - Runs on the controller. Never fails because it is not let in; a node that does not answer is an error.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: N/A
    details: Changes nothing.
options:
  pki_dir:
    description: Directory with C(proxmox.token) or C(proxmox.password), and C(ca.crt) or C(nodes/NODE.crt).
    type: path
    required: true
  node:
    description: The node's name in the inventory.
    type: str
    required: true
  address:
    description: Its address.
    type: str
    required: true
  port:
    description: Port of its API server.
    type: int
    default: 8006
"""

EXAMPLES = r"""
- name: Ask whether the controller is let in
  switchyard.fleet.proxmox_login:
    pki_dir: /etc/switchyard/pki
    node: pve1
    address: 192.0.2.11
  delegate_to: localhost
"""

RETURN = r"""
works:
  description: Whether the controller is let in.
  returned: always
  type: bool
reason:
  description: Why not.
  returned: always
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError, NotInstalled, Untrusted
from ..module_utils.engine.connect import proxmox_credentials
from ..module_utils.engine.proxmox.client import Client
from ..module_utils.engine.proxmox.session import Endpoint
from ..module_utils.fleet.model import Limits
from ..module_utils.node.facts import fingerprint, read


def reason(pki: Path, node: str, address: str, port: int) -> str:
    """Why we are not let in; empty: we are. Raises EngineError where nobody can say."""
    authority = pki / "ca.crt"
    endpoint = Endpoint(
        node,
        address,
        port,
        fingerprint=fingerprint(read(pki / "nodes" / f"{node}.crt")),
        authority=str(authority) if authority.is_file() else "",
    )
    try:
        client = Client([endpoint], proxmox_credentials(pki), Limits())
    except NotInstalled as error:
        return error.answer
    try:
        client.get("/version", "log in")
    except Untrusted as error:
        return error.answer
    finally:
        client.close()
    return ""


def main() -> None:
    """Try, tell."""
    module = AnsibleModule(
        argument_spec={
            "pki_dir": {"type": "path", "required": True},
            "node": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 8006},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        why = reason(Path(options["pki_dir"]), options["node"], options["address"], options["port"])
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, works=not why, reason=why)


if __name__ == "__main__":
    main()
