#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is to a Proxmox VE cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_member
short_description: What a node is to a Proxmox VE cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Looks at a node's files and asks it for the cluster's state. What that means for a cluster of several nodes, the
    filter P(switchyard.fleet.proxmox_cluster_plan#filter) says.
  - Runs on the node, as root.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: N/A
    details: Changes nothing.
options:
  name:
    description: The node's name.
    type: str
    required: true
  root:
    description: Where the node's file system begins.
    type: path
    default: /
"""

EXAMPLES = r"""
- name: See who is a member of what
  switchyard.fleet.proxmox_member:
    name: "{{ inventory_hostname_short }}"
  register: member
"""

RETURN = r"""
name:
  description: The node's name.
  returned: always
  type: str
version:
  description: Version of Proxmox VE; empty if there is none.
  returned: always
  type: str
cluster_conf:
  description: The cluster's corosync.conf.
  returned: always
  type: str
own_conf:
  description: The node's own corosync.conf.
  returned: always
  type: str
key:
  description: Whether it has a key of corosync's.
  returned: always
  type: bool
local:
  description: Whether its cluster file system runs apart from the cluster's.
  returned: always
  type: bool
guests:
  description: How many guests it has.
  returned: always
  type: int
fingerprint:
  description: SHA-256 of its certificate, with colons; those who join through it compare it.
  returned: always
  type: str
status:
  description: What the cluster says of itself; nothing where it does not answer.
  returned: always
  type: list
  elements: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError
from ..module_utils.node.facts import fingerprint, read, run
from ..module_utils.proxmox.pvesh import Pvesh


def with_colons(digest: str) -> str:
    """As Proxmox VE writes fingerprints."""
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2)).upper()


def main() -> None:
    """Look, ask, tell."""
    module = AnsibleModule(
        argument_spec={"name": {"type": "str", "required": True}, "root": {"type": "path", "default": "/"}},
        supports_check_mode=True,
    )
    name, etc = module.params["name"], Path(module.params["root"]) / "etc"
    here = etc / "pve" / "nodes" / name
    try:
        status = Pvesh().get("/cluster/status", "ask for the cluster's state")
        version = str(Pvesh().get("/version", "ask for the version").get("version", ""))
    except EngineError:
        status, version = [], ""
    certificate = read(here / "pveproxy-ssl.pem") or read(here / "pve-ssl.pem")
    module.exit_json(
        changed=False,
        name=name,
        version=version,
        cluster_conf=read(etc / "pve" / "corosync.conf"),
        own_conf=read(etc / "corosync" / "corosync.conf"),
        key=(etc / "corosync" / "authkey").exists(),
        local=bool(run("pgrep", "-xf", r"(/usr/bin/)?pmxcfs.* -l.*")),
        guests=sum(len(list((here / kind).glob("*.conf"))) for kind in ("lxc", "qemu-server")),
        fingerprint=with_colons(fingerprint(certificate)),
        status=status,
    )


if __name__ == "__main__":
    main()
