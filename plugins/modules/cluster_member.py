#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is to a Corosync cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_member
short_description: What a node is to a Corosync cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Looks at a node's files and processes. What that means for all nodes, the filter
    P(switchyard.fleet.corosync_plan#filter) says.
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
    description: The node's name in the cluster.
    type: str
    required: true
  packages:
    description: Packages to look for.
    type: list
    elements: str
    default: []
  programs:
    description: Programs to look for in the directories of the system's administration.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See who is a member of what
  switchyard.fleet.cluster_member:
    name: "{{ inventory_hostname }}"
  register: member
"""

RETURN = r"""
name:
  description: The node's name in the cluster.
  returned: always
  type: str
packages:
  description: Those asked for that are installed.
  returned: always
  type: list
  elements: str
programs:
  description: Those asked for that are there.
  returned: always
  type: list
  elements: str
configuration:
  description: Its corosync.conf; empty if there is none.
  returned: always
  type: str
cluster:
  description: Name of the fleet whose cluster that file is of; empty if it is not Switchyard's.
  returned: always
  type: str
key:
  description: SHA-256 of its authkey; empty if there is none.
  returned: always
  type: str
running:
  description: Whether Corosync runs.
  returned: always
  type: bool
heard:
  description: Names of members that are there, as it hears them.
  returned: always
  type: list
  elements: str
configured:
  description: Whether Pacemaker has a configuration here.
  returned: always
  type: bool
"""

import hashlib
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.corosync import cluster_name, heard
from ..module_utils.node.facts import read, run

_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"


def installed(packages: list[str]) -> list[str]:
    """Those packages that are installed."""
    listed = run("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n")
    found = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [name for name in packages if name in found]


def key_digest(path: Path) -> str:
    """What tells one key from another."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def main() -> None:
    """Look, tell."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "programs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    configuration = read(Path("/etc/corosync/corosync.conf"))
    running = bool(run("timeout", "10", "corosync-cmapctl", "-g", "totem.cluster_name"))
    module.exit_json(
        changed=False,
        name=module.params["name"],
        packages=installed(module.params["packages"]),
        programs=[name for name in module.params["programs"] if shutil.which(name, path=_FOLDERS)],
        configuration=configuration,
        cluster=cluster_name(configuration),
        key=key_digest(Path("/etc/corosync/authkey")),
        running=running,
        heard=heard(run("timeout", "10", "corosync-cmapctl")) if running else [],
        configured=Path("/var/lib/pacemaker/cib/cib.xml").exists(),
    )


if __name__ == "__main__":
    main()
