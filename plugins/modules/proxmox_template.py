#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that containers are made from, on a Proxmox VE cluster's storages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_template
short_description: Archives that containers are made from, on a Proxmox VE cluster's storages
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Lets nodes fetch what is missing, from what Proxmox offers or from a web server, with its checksum compared. What is
    there already is left alone, and nothing is removed.
  - On a storage all nodes see, it is fetched once.
extends_documentation_fragment: switchyard.fleet.proxmox_login
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns what would be, or was, changed.
    support: full
options:
  nodes:
    description: Nodes that are to have them.
    type: list
    elements: str
    required: true
  storage:
    description: Storage they are put on. It has to take content V(vztmpl).
    type: str
    default: local
  appliances:
    description:
      - Templates that Proxmox offers; by name, such as V(debian-13-standard), the newest version, or by the whole name
        of the file.
    type: list
    elements: str
    default: []
  downloads:
    description: Archives from elsewhere.
    type: list
    elements: dict
    default: []
    suboptions:
      filename:
        description: Its name on the storage, C(NAME_VERSION_amd64.tar.zst).
        type: str
        required: true
      url:
        description: Where it is.
        type: str
        required: true
      checksum:
        description: What it has to be, V(sha256:...).
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Bring the templates
  switchyard.fleet.proxmox_template:
    nodes: [pve1, pve2]
    appliances: [debian-13-standard]
    downloads:
      - filename: pbx_7_amd64.tar.zst
        url: https://files.example.net/pbx-7.tar.zst
        checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
brought:
  description: Archives that were, or would be, fetched, each as node and file.
  returned: always
  type: list
  elements: str
  sample: ["pve1: debian-13-standard_13.1-2_amd64.tar.zst"]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError, Refused
from ..module_utils.engine.proxmox import task
from ..module_utils.proxmox.api import LOGIN, Api, connect
from ..module_utils.proxmox.appliances import Download, fetched, missing, mistakes, newest

ATTEMPT = "bring the templates"
PATIENCE = 1800.0
"""Seconds one may take to be fetched."""


def lacking(api: Api, nodes: list[str], storage: str, files: list[str]) -> list[tuple[str, str]]:
    """(node, file) for all that is to be fetched; of a shared storage one node answers for all."""
    found = []
    for node in nodes:
        path = f"/nodes/{node}/storage/{storage}"
        status = api.get(f"{path}/status", ATTEMPT, node=node)
        if "vztmpl" not in str(status.get("content", "")).split(","):
            text = f"storage {storage} takes no templates of containers there"
            raise Refused(node, ATTEMPT, text, "give it content vztmpl, or name another storage")
        volumes = api.get(f"{path}/content", ATTEMPT, node=node, content="vztmpl")
        found += [(node, file) for file in missing(files, volumes)]
        if int(status.get("shared") or 0):
            break
    return found


def main() -> None:
    """Compare, fetch, tell."""
    module = AnsibleModule(
        argument_spec={
            "login": LOGIN,
            "nodes": {"type": "list", "elements": "str", "required": True},
            "storage": {"type": "str", "default": "local"},
            "appliances": {"type": "list", "elements": "str", "default": []},
            "downloads": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "filename": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "checksum": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    options = module.params
    nodes, storage = options["nodes"], options["storage"]
    downloads = {each["filename"]: Download(**each) for each in options["downloads"]}
    wrong = mistakes(downloads.values())
    try:
        api = connect(options["login"])
        offers = api.get(f"/nodes/{nodes[0]}/aplinfo", ATTEMPT, node=nodes[0]) if options["appliances"] else []
        files, unknown = newest(options["appliances"], offers)
        wrong += [f"{name}: Proxmox offers no such template (see 'pveam available')" for name in unknown]
        if wrong:
            module.fail_json(msg="nothing was changed:\n" + "\n".join(wrong))
        needed = lacking(api, nodes, storage, [*files, *downloads])
        for node, file in () if module.check_mode else needed:
            request = fetched(node, storage, file, downloads)
            upid = api.send(request.method, request.path, f"fetch {file}", request.body, node)
            task.follow(api, upid, f"fetch {file}", PATIENCE)  # type: ignore[arg-type]
    except EngineError as error:
        module.fail_json(msg=str(error))
    brought = [f"{node}: {file}" for node, file in needed]
    module.exit_json(
        changed=bool(brought), brought=brought, diff={"before": "", "after": "".join(f"{each}\n" for each in brought)}
    )


if __name__ == "__main__":
    main()
