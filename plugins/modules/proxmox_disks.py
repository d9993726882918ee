#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools on a Proxmox VE node's own disks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_disks
short_description: Pools on a Proxmox VE node's own disks
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Makes the ZFS pools and LVM thin pools that are missing, on disks on which there is nothing, and on no others.
  - A pool that exists is left as it is.
extends_documentation_fragment: switchyard.fleet.proxmox_login
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns what would be, or was, changed.
    support: full
options:
  node:
    description: The node's name.
    type: str
    required: true
  pools:
    description: The pools.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name. Of V(lvmthin) it is the name of the volume group and of the thin pool in it.
        type: str
        required: true
      type:
        description: What it is.
        type: str
        choices: [zfs, lvmthin]
        default: zfs
      devices:
        description: Its disks, whole ones; best by a path in C(/dev/disk/by-id), which stays the same.
        type: list
        elements: str
        required: true
      raid:
        description: How ZFS puts the disks together.
        type: str
        choices: [single, mirror, raid10, raidz, raidz2, raidz3]
        default: single
      ashift:
        description: Of ZFS, the size of the disks' blocks as a power of two.
        type: int
        default: 12
      compression:
        description: Of ZFS.
        type: str
        choices: ["on", "off", lz4, zstd, gzip, lzjb, zle]
        default: "on"
"""

EXAMPLES = r"""
- name: Make the node's pool
  switchyard.fleet.proxmox_disks:
    node: pve1
    pools:
      - name: tank
        raid: mirror
        devices: [/dev/disk/by-id/nvme-one, /dev/disk/by-id/nvme-two]
"""

RETURN = r"""
made:
  description: Pools that were, or would be, made.
  returned: always
  type: list
  elements: str
"""

from dataclasses import replace
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError
from ..module_utils.engine.proxmox import task
from ..module_utils.proxmox.api import LOGIN, connect
from ..module_utils.proxmox.disks import LEAST, Pool, creation, missing, mistakes, not_empty

PATIENCE = 900.0
"""Seconds a pool may take to be made."""


def main() -> None:
    """Compare, make, tell."""
    module = AnsibleModule(
        argument_spec={
            "login": LOGIN,
            "node": {"type": "str", "required": True},
            "pools": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": ["zfs", "lvmthin"], "default": "zfs"},
                    "devices": {"type": "list", "elements": "str", "required": True},
                    "raid": {"type": "str", "choices": list(LEAST), "default": "single"},
                    "ashift": {"type": "int", "default": 12},
                    "compression": {
                        "type": "str",
                        "choices": ["on", "off", "lz4", "zstd", "gzip", "lzjb", "zle"],
                        "default": "on",
                    },
                },
            },
        },
        supports_check_mode=True,
    )
    node = module.params["node"]
    pools = [Pool(**{**each, "devices": tuple(each["devices"])}) for each in module.params["pools"]]
    # By what they really are: two names of one disk are one disk. Over the API nobody can look from here.
    local = not module.params["login"]
    real = {each: str(Path(each).resolve()) for pool in pools for each in pool.devices} if local else {}
    attempt, path = "make the pools", f"/nodes/{node}/disks"
    try:
        wrong = mistakes(
            [replace(pool, devices=tuple(real.get(each, each) for each in pool.devices)) for pool in pools]
        )
        api = connect(module.params["login"])
        zfs, thin = (api.get(f"{path}/{kind}", attempt, node=node) for kind in ("zfs", "lvmthin"))
        lacking = missing(pools, zfs, thin)
        if lacking:
            disks = api.get(f"{path}/list", attempt, node=node, **{"include-partitions": 1})
            wrong += [text for pool in lacking for text in not_empty(pool, real, disks)]
        if wrong:
            module.fail_json(msg=f"{node}: nothing was changed:\n" + "\n".join(wrong))
        for pool in () if module.check_mode else lacking:
            request = creation(pool, node, real)
            upid = api.send(request.method, request.path, f"make pool {pool.name}", request.body, node)
            task.follow(api, upid, f"make pool {pool.name}", PATIENCE)  # type: ignore[arg-type]
    except EngineError as error:
        module.fail_json(msg=str(error))
    made = [pool.name for pool in lacking]
    module.exit_json(
        changed=bool(made),
        made=made,
        diff={"before": {}, "after": {pool.name: list(pool.devices) for pool in lacking}},
    )


if __name__ == "__main__":
    main()
