# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container must not have in common with the one it was copied from, taken out of its files.

Names, addresses and keys of people are written by the template before each start. The machine's own id and SSH's host
keys are not: they are emptied, and made anew at the first start, as those of a new server are. VMs cannot be looked
into while they are stopped: theirs is cloud-init's business, which sees by its instance-id that it is another machine.
"""

from __future__ import annotations

from urllib.parse import quote

from .client import Client, Missing
from .guests import path_of

_EMPTY = {"X-Incus-type": "file", "X-Incus-write": "overwrite", "X-Incus-mode": "0444"}
_MAKES_KEYS = ("/etc/systemd/system/ssh.service.d", "switchyard.conf")
"""A file of templates that make host keys at a start. Of others they are left: without any, nobody gets in."""


def renew(client: Client, name: str, attempt: str) -> None:
    """Make a stopped container another machine. Five requests, and one for each key."""
    if "machine-id" in _list(client, name, "/etc", attempt):
        # Empty, not missing: then a new one is made.
        client.upload(_path(name, "/etc/machine-id"), attempt, b"", _EMPTY)
    if "machine-id" in _list(client, name, "/var/lib/dbus", attempt):
        client.send("DELETE", _path(name, "/var/lib/dbus/machine-id"), attempt)
    folder, file = _MAKES_KEYS
    if file not in _list(client, name, folder, attempt):
        return
    for key in _list(client, name, "/etc/ssh", attempt):
        if key.startswith("ssh_host_"):
            client.send("DELETE", _path(name, f"/etc/ssh/{key}"), attempt)


def remove(client: Client, name: str, path: str, attempt: str) -> None:
    """One file of a stopped container, if it is there."""
    folder, _slash, file = path.rpartition("/")
    if file in _list(client, name, folder, attempt):
        client.send("DELETE", _path(name, path), attempt)


def _list(client: Client, name: str, folder: str, attempt: str) -> list[str]:
    try:
        return [str(each) for each in client.get(_path(name, folder), attempt).metadata or ()]
    except Missing:
        return []


def _path(name: str, path: str) -> str:
    return f"{path_of(name)}/files?path={quote(path)}"
