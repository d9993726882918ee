#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a node's Incus to what the fleet needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_incus
short_description: Bring a node's Incus to what the fleet needs
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Sets Incus' server configuration, makes the storage pools that are missing and trusts the controller's certificate.
  - Compares first and changes only what differs. Keys, pools and clients not named here are left alone; a pool is never
    made anew.
  - Runs on the node, as root, and needs nothing there but Python and Incus.
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make; without Incus on the node, all of them.
    support: full
  diff_mode:
    description: Returns what would be, or was, changed.
    support: full
options:
  address:
    description: Address Incus' API listens on.
    type: str
    required: true
  port:
    description: TCP port Incus' API listens on.
    type: int
    default: 8443
  config:
    description: Further server configuration, key by key. An empty value unsets a key.
    type: dict
    default: {}
  pools:
    description:
      - Storage pools to make where they are missing. Another driver in a pool that exists is an error.
      - Mappings of C(name), C(driver) (V(dir), V(btrfs), V(lvm) or V(zfs); default V(dir)), C(source) (block device,
        volume group, dataset or directory the pool is made of) and C(size) (of a pool that lives in a file); or names.
    type: list
    elements: raw
    default: []
  trusted_name:
    description: Name the controller's certificate is trusted under.
    type: str
    required: true
  trusted_certificate:
    description:
      - The controller's certificate, PEM.
      - Empty in check mode only, where it may not have been made yet.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Bring Incus to what the fleet needs
  switchyard.fleet.node_incus:
    address: 192.0.2.11
    pools:
      - name: default
        driver: btrfs
        source: /dev/nvme1n1
    trusted_name: switchyard-example
    trusted_certificate: "{{ lookup('ansible.builtin.file', 'pki/controller.crt') }}"
"""

RETURN = r"""
certificate:
  description: The certificate Incus shows to those who ask, PEM; empty where there is no Incus yet.
  returned: always
  type: str
fingerprint:
  description: SHA-256 of RV(certificate), lower-case hexadecimal.
  returned: always
  type: str
version:
  description: Version of Incus.
  returned: always
  type: str
  sample: 6.0.4
"""

import base64
import ssl
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.fleet.inventory.quantity import Unacceptable
from ..module_utils.node.engine_state import Changes, Conflict, Trusted, Wanted, differences, listen_address
from ..module_utils.node.facts import fingerprint
from ..module_utils.node.incus_socket import SOCKET, LocalError, LocalIncus
from ..module_utils.node.pools import read_pools


def carry_out(incus: LocalIncus, changes: Changes) -> None:
    """Pools before the address: who can be reached is ready."""
    for pool in changes.pools:
        incus.send(
            "POST", "/1.0/storage-pools", {"name": pool.name, "driver": pool.driver, "config": dict(pool.config)}
        )
    for client in changes.trust:
        der = base64.b64encode(ssl.PEM_cert_to_DER_cert(client.certificate.strip())).decode()
        incus.send("POST", "/1.0/certificates", {"type": "client", "name": client.name, "certificate": der})
    if changes.config:
        incus.send("PATCH", "/1.0", {"config": {key: new for key, (_old, new) in changes.config.items()}})


def main() -> None:
    """Compare, change, tell."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 8443},
            "config": {"type": "dict", "default": {}},
            "pools": {"type": "list", "elements": "raw", "default": []},
            "trusted_name": {"type": "str", "required": True},
            "trusted_certificate": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not fingerprint(params["trusted_certificate"]) and not module.check_mode:
        module.fail_json(msg="trusted_certificate: not a PEM certificate")
    try:
        wanted = Wanted(
            {
                "core.https_address": listen_address(params["address"], params["port"]),
                **{key: str(value) for key, value in params["config"].items()},
            },
            read_pools(params["pools"]),
            [Trusted(params["trusted_name"], params["trusted_certificate"])],
        )
    except Unacceptable as refusal:
        module.fail_json(msg=f"pools: {params['pools']!r} is {refusal}")
    result: dict[str, Any] = {"certificate": "", "fingerprint": "", "version": ""}
    try:
        if module.check_mode and not SOCKET.exists():
            changes = differences(wanted, {}, [], [])
        else:
            with LocalIncus() as incus:
                server = incus.get("/1.0")
                changes = differences(
                    wanted,
                    server,
                    incus.get("/1.0/storage-pools?recursion=1") or [],
                    incus.get("/1.0/certificates?recursion=1") or [],
                )
                if not module.check_mode:
                    carry_out(incus, changes)
                result = {
                    "certificate": server["environment"]["certificate"],
                    "fingerprint": server["environment"]["certificate_fingerprint"],
                    "version": server["environment"]["server_version"],
                }
    except (Conflict, LocalError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(changes), diff=changes.diff(), **result)


if __name__ == "__main__":
    main()
