#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A template of VMs on a Proxmox VE node, made of a cloud image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_machine_template
short_description: Make a template of VMs of a cloud image
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Lets a node fetch a cloud image, its checksum compared, makes a VM of it that is called NAME-VERSION, and makes that
    a template, as the engine looks for it. One that is there is left alone; one that was cut off is finished.
extends_documentation_fragment: switchyard.fleet.proxmox_login
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: none
options:
  node:
    description: Node that is to have it.
    type: str
    required: true
  name:
    description: Name of the template.
    type: str
    required: true
  version:
    description: Its version.
    type: str
    default: "1"
  url:
    description: Where the image is; qcow2, raw or vmdk.
    type: str
    required: true
  checksum:
    description: What it has to be, V(sha256:...).
    type: str
    required: true
  images:
    description: Storage the image is kept on. It has to take content V(import).
    type: str
    default: local
  storage:
    description: Storage the template's disk is put on.
    type: str
    required: true
  bridge:
    description: Bridge of its card; each server gets its own.
    type: str
    default: vmbr0
"""

EXAMPLES = r"""
- name: Make a template of Debian's cloud image
  switchyard.fleet.proxmox_machine_template:
    node: pve1
    name: debian
    version: "13.1"
    url: https://files.example.net/debian-13-genericcloud-amd64.qcow2
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    storage: local-zfs
"""

RETURN = r"""
vmid:
  description: Number of the guest that is the template; 0 where it would only be made.
  returned: always
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError, Refused
from ..module_utils.engine.proxmox import task
from ..module_utils.proxmox.api import LOGIN, Api, connect
from ..module_utils.proxmox.appliances import SUM
from ..module_utils.proxmox.machine_images import Image, body, stand

PATIENCE = 1800.0
"""Seconds an image may take to be fetched, or to become a disk."""
FORMATS = ("qcow2", "raw", "vmdk")


def change(api: Api, attempt: str, node: str, path: str, parameters: dict[str, Any] | None = None) -> None:
    """One change, and its end."""
    upid = api.send("POST", path, attempt, parameters or {}, node)
    task.follow(api, upid, attempt, PATIENCE)  # type: ignore[arg-type]


def fetch(api: Api, options: dict[str, Any], file: str) -> None:
    """The image, on the node's storage."""
    node, attempt = options["node"], f"fetch {file}"
    path = f"/nodes/{node}/storage/{options['images']}"
    volumes = api.get(f"{path}/content", attempt, node=node, content="import")
    if not any(str(each["volid"]).endswith(f"/{file}") for each in volumes):
        kind, _colon, digest = options["checksum"].partition(":")
        wanted = {"content": "import", "filename": file, "url": options["url"]}
        change(api, attempt, node, f"{path}/download-url", wanted | {"checksum": digest, "checksum-algorithm": kind})


def main() -> None:
    """Compare, make, tell."""
    module = AnsibleModule(
        argument_spec={
            "login": LOGIN,
            "node": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "default": "1"},
            "url": {"type": "str", "required": True},
            "checksum": {"type": "str", "required": True},
            "images": {"type": "str", "default": "local"},
            "storage": {"type": "str", "required": True},
            "bridge": {"type": "str", "default": "vmbr0"},
        },
        supports_check_mode=True,
    )
    options = module.params
    node, extension = options["node"], options["url"].rpartition(".")[2]
    if not SUM.fullmatch(options["checksum"]):
        module.fail_json(msg=f"checksum: {options['checksum']!r} is not such as sha256:9f86d0...")
    if extension not in FORMATS:
        module.fail_json(msg=f"url: {options['url']!r} does not end in one of .{', .'.join(FORMATS)}")
    file = f"{options['name']}-{options['version']}.{extension}"
    source = f"{options['images']}:import/{file}"
    image = Image(options["name"], options["version"], source, options["storage"], options["bridge"])
    attempt = f"make template {image.name} {image.version}"
    try:
        api = connect(options["login"])
        rows = api.get("/cluster/resources", attempt, type="vm")
        todo, row = stand(image, [each for each in rows if each.get("node") == node])
        vmid = int(row["vmid"]) if row else 0
        if todo == "refuse":
            raise Refused(node, attempt, f"guest {vmid} bears its name and is something else", "rename or remove it")
        if todo == "make" and not module.check_mode:
            fetch(api, options, file)
            vmid = int(api.get("/cluster/nextid", attempt))
            change(api, attempt, node, f"/nodes/{node}/qemu", body(image, vmid))
        if todo in ("make", "finish") and not module.check_mode:
            change(api, attempt, node, f"/nodes/{node}/qemu/{vmid}/template")
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=todo != "keep", vmid=vmid)


if __name__ == "__main__":
    main()
