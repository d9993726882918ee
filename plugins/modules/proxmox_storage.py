#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storages of a Proxmox VE cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_storage
short_description: Storages of a Proxmox VE cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Defines the storages that are missing and brings those that are there to what is declared. Others are left alone,
    and none is ever removed.
  - What a storage is made of cannot be changed; where it is otherwise, nothing is changed at all.
extends_documentation_fragment: switchyard.fleet.proxmox_login
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns what would be, or was, changed.
    support: full
options:
  storages:
    description:
      - The storages. Each has C(name), C(type) (V(dir), V(nfs), V(cifs), V(zfspool) or V(lvmthin)), C(content) (a list;
        default is V(images) and V(rootdir)), C(nodes) (a list; default is all) and C(enabled).
      - V(dir) takes C(path), and may C(shared), C(is_mountpoint), C(preallocation), C(prune-backups),
        C(create-base-path).
      - V(nfs) takes C(server), C(export), and may C(options), C(preallocation), C(prune-backups).
      - V(cifs) takes C(server), C(share), and may C(username), C(domain), C(password), C(options), C(smbversion); the
        password counts only when the storage is made.
      - V(zfspool) takes C(pool), and may C(sparse), C(blocksize), C(mountpoint).
      - V(lvmthin) takes C(vgname) and C(thinpool).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Define the storages
  switchyard.fleet.proxmox_storage:
    storages:
      - {name: tank, type: zfspool, pool: tank/servers, sparse: true, nodes: [pve1, pve2]}
      - {name: templates, type: nfs, server: 192.0.2.5, export: /srv/templates, content: [vztmpl, iso]}
"""

RETURN = r"""
changes:
  description: What was, or would be, changed.
  returned: always
  type: list
  elements: str
  sample: [POST /storage tank]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError
from ..module_utils.proxmox.api import LOGIN, connect
from ..module_utils.proxmox.storages import Fixed, Unreadable, differences, read

ATTEMPT = "define the storages"


def main() -> None:
    """Compare, change, tell."""
    module = AnsibleModule(
        argument_spec={"login": LOGIN, "storages": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    # A password in there is nobody's but the storage's.
    module.no_log_values.update(str(each["password"]) for each in module.params["storages"] if each.get("password"))
    try:
        wanted = read(module.params["storages"])
        api = connect(module.params["login"])
        changes = differences(wanted, api.get("/storage", ATTEMPT))
        for change in () if module.check_mode else changes:
            api.send(change.request.method, change.request.path, ATTEMPT, change.request.body)
    except Unreadable as error:
        module.fail_json(msg="storages, nothing was changed:\n" + "\n".join(error.mistakes))
    except Fixed as error:
        module.fail_json(msg=f"nothing was changed: {error}")
    except EngineError as error:
        module.fail_json(msg=str(error))
    names = [str(each.request.body.get("storage") or each.request.path.rpartition("/")[2]) for each in changes]
    module.exit_json(
        changed=bool(changes),
        changes=[f"{each.request.method} {each.request.path}" for each in changes],
        diff={
            "before": {name: dict(each.before) for name, each in zip(names, changes, strict=True)},
            "after": {name: dict(each.after) for name, each in zip(names, changes, strict=True)},
        },
    )


if __name__ == "__main__":
    main()
