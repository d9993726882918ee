#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_server_export
short_description: A server as a file, for another site or a support case
description:
  - Writes a server into a file on the machine ansible-playbook runs on. Of that,
    O(switchyard.fleet.virtual_server#module:import_from) makes it again, here or in another fleet. The server goes on
    as it is.
  - In the file are its root disk and what it is, without its snapshots. Of a server that runs, files that change
    meanwhile may be of different moments, unless its storage pool makes snapshots (btrfs, zfs, lvm); one with a
    database may want to be stopped first.
  - The file is there whole or not at all, and only its owner may read it. Its SHA-256 is written beside it, into a file
    whose name ends in C(.sha256).
  - On the node a backup takes room until it is fetched. Nothing stays there; what a run that was killed left goes with
    the next export of that server from the same machine, or after a day.
  - Only the engine Incus has this. The API of Proxmox VE hands out no backups, and the error says what to do instead.
extends_documentation_fragment:
  - switchyard.fleet.controller
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
attributes:
  check_mode:
    support: full
    description: Nothing is written, and whether something would be is told.
  diff_mode:
    support: full
    description: Shows what the file will have in it.
options:
  name:
    description: The server's name, exactly. No pattern.
    type: str
    required: true
  dest:
    description:
      - The file. Its directory has to be there.
      - A file that is there, whole, and has this server in it, is left as it is, of whenever it is.
    type: path
    required: true
  compression:
    description: How the node packs it. V(xz) is smaller, and takes several times as long.
    type: str
    choices: [gzip, xz]
    default: gzip
  force:
    description: Whether a file that is there is replaced, once the new one is whole.
    type: bool
    default: false
seealso:
  - module: switchyard.fleet.virtual_server
"""

EXAMPLES = r"""
- name: Keep a customer's PBX as it is today
  switchyard.fleet.virtual_server_export:
    name: pbx042
    dest: /srv/exports/pbx042-before-the-upgrade.tar.gz

- name: Bring it to another site, under that site's inventory
  switchyard.fleet.virtual_server:
    name: pbx042
    state: started
    import_from: /srv/exports/pbx042-before-the-upgrade.tar.gz
"""

RETURN = r"""
dest:
  description: The file.
  returned: success
  type: str
  sample: /srv/exports/pbx042.tar.gz
size_bytes:
  description: Its size. V(0) in check mode.
  returned: success
  type: int
  sample: 412312044
checksum:
  description: Its SHA-256. Empty in check mode.
  returned: success
  type: str
  sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
running:
  description: Whether the server ran while it was exported now.
  returned: success
  type: bool
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 18
"""
