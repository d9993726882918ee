#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repository a Proxmox VE node installs from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_sources
short_description: Choose the repository a Proxmox VE node installs from
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Offers apt the chosen repository of Proxmox VE and switches off the one that was not chosen, with Ceph's of the same
    kind, as an installation from the ISO brings them along. Files written by hand stay as they are but for that.
  - Runs on the node.
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns the files as they were and as they are to be.
    support: full
options:
  repository:
    description: The choice. V(enterprise) takes a subscription.
    type: str
    choices: [no-subscription, enterprise]
    default: no-subscription
  uri:
    description: Where the repository is, without a suite; a mirror's address, or Proxmox' own.
    type: str
    required: true
  suite:
    description: Code name of the release, V(trixie) or V(bookworm).
    type: str
    required: true
  keyring:
    description: File with the keys the repository is signed with.
    type: path
    required: true
  directory:
    description: Where apt's sources are.
    type: path
    default: /etc/apt/sources.list.d
"""

EXAMPLES = r"""
- name: Install from the repository that needs no subscription
  switchyard.fleet.proxmox_sources:
    uri: http://download.proxmox.com/debian/pve
    suite: trixie
    keyring: /usr/share/keyrings/proxmox-archive-keyring.gpg
"""

RETURN = r"""
files:
  description: Files that were, or would be, changed.
  returned: always
  type: list
  elements: str
  sample: [pve-enterprise.sources, switchyard-proxmox.sources]
"""

import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.facts import read
from ..module_utils.node.proxmox_sources import CHOICES, Repository, rewritten

NOTE = "Managed by Ansible: switchyard.fleet.proxmox_sources"


def main() -> None:
    """Read, compare, write."""
    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "str", "choices": sorted(CHOICES, reverse=True), "default": "no-subscription"},
            "uri": {"type": "str", "required": True},
            "suite": {"type": "str", "required": True},
            "keyring": {"type": "path", "required": True},
            "directory": {"type": "path", "default": "/etc/apt/sources.list.d"},
        },
        supports_check_mode=True,
    )
    options = module.params
    directory = Path(options["directory"])
    files = {
        path.name: read(path)
        for pattern in ("*.list", "*.sources")
        for path in sorted(directory.glob(pattern))
        if path.is_file()
    }
    wanted = Repository(options["repository"], options["uri"], options["suite"], options["keyring"])
    changed = rewritten(files, wanted, NOTE)
    for name, text in () if module.check_mode else changed.items():
        with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, delete=False) as written:
            written.write(text)
        module.atomic_move(written.name, str(directory / name))
        module.set_mode_if_different(str(directory / name), "0644", False)
    diff = [
        {
            "before": files.get(name, ""),
            "after": text,
            "before_header": str(directory / name),
            "after_header": str(directory / name),
        }
        for name, text in changed.items()
    ]
    module.exit_json(changed=bool(changed), files=sorted(changed), diff=diff)


if __name__ == "__main__":
    main()
