#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a node join a Proxmox VE cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_join
short_description: Let a node join a Proxmox VE cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Runs C(pvecm add) on the node that joins. The password of the member's C(root@pam) is told to it on its standard
    input, so that it is in no list of processes.
  - Does not ask whether the node has joined already; the role C(proxmox_cluster) does.
attributes:
  check_mode:
    description: Can run in check mode and changes nothing then.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: none
options:
  peer:
    description: Address of a member.
    type: str
    required: true
  fingerprint:
    description: SHA-256 fingerprint of the member's certificate, with colons. Needed with a password.
    type: str
    default: ""
  password:
    description: Password of C(root@pam) on that member. Without it the node joins over SSH, as root, by its own key.
    type: str
  links:
    description: Addresses of the node that joins, link by link.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds it may take.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Join
  switchyard.fleet.proxmox_join:
    peer: 192.0.2.11
    fingerprint: "{{ member.fingerprint }}"
    password: "{{ vault_root_password }}"
    links: [192.0.2.12, 198.51.100.12]
"""

RETURN = r"""
output:
  description: What the command said.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.proxmox.told import run


def main() -> None:
    """Join, tell."""
    module = AnsibleModule(
        argument_spec={
            "peer": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "default": ""},
            "password": {"type": "str", "no_log": True},
            "links": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    options = module.params
    password = options["password"] or ""
    if password and not options["fingerprint"]:
        module.fail_json(msg="fingerprint: needed with a password, which is for nobody else than that member")
    command = ["pvecm", "add", options["peer"]]
    for number, address in enumerate(options["links"]):
        command += [f"--link{number}", address]
    command += ["--fingerprint", options["fingerprint"]] if password else ["--use_ssh", "1"]
    if module.check_mode:
        module.exit_json(changed=True, output="")
    code, said = run(command, password, options["timeout"])
    if code:
        why = f"no end after {options['timeout']} s" if code < 0 else f"exit code {code}"
        module.fail_json(msg=f"{' '.join(command[:3])}: {why}: {said.strip()}", output=said)
    module.exit_json(changed=True, output=said)


if __name__ == "__main__":
    main()
