# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in files, which Proxmox VE's API neither hands out nor takes in.

``vzdump`` leaves a backup on a storage of the cluster. The API downloads none of a storage, and takes only ISO images,
container templates and disk images to import. So a person is told the commands that do it on the node.
"""

from __future__ import annotations

from ..base import Refused
from .guests import Guests

_WHY = "the API of Proxmox VE hands out no backup and takes none: it stays on a storage of the cluster"


def no_export(guests: Guests, name: str, node: str) -> Refused:
    """What to do instead, with the number of the guest in it."""
    attempt = f"export {name}"
    found = guests.find(name, node, attempt)
    if found is None:
        return Refused(node, attempt, f"no guest {name} on this node")
    return Refused(node, attempt, _WHY, f"on {node}: vzdump {found.vmid} --mode snapshot --dumpdir DIRECTORY")


def no_import(path: str) -> Refused:
    """What to do instead."""
    then = "then declare it, and make it ours with -e import_adopt=true"
    hint = f"on a node: pct restore NUMBER FILE, or qmrestore FILE NUMBER; {then}"
    return Refused(path, "import a server", _WHY, hint)
