# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error texts of Incus: fit to be shown, and what to do about those it is known for."""

from __future__ import annotations

import re

_KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"no space left|out of disk space|disk quota exceeded|not enough space",
        "the storage pool on this node is full: free space, enlarge the pool or raise the node's disk reserve",
    ),
    (
        r"image not provided|image .*not found|image alias .*not found|couldn't find alias|failed getting image",
        "the template is not on this node; a plan made now copies it there first",
    ),
    (
        r"storage pool.*not found|pool .*doesn't exist",
        "the node has no such storage pool: see vs_pool and the node's storage",
    ),
    (
        r"parent device .*doesn't exist|failed to .*parent .*device|missing parent",
        "the node has no such bridge: run the site playbook against it, or see node_bridge and the network's bridge",
    ),
    (r"already exists|already in use", "something else on this node has that name"),
    (
        r"not authorized|forbidden|certificate is restricted",
        "the node does not accept this controller's certificate: run the site playbook (node role) against the node",
    ),
    (
        r"database is (locked|not yet started)|daemon is starting|context deadline exceeded.*database",
        "the node's database does not answer: see 'journalctl -u incus' there",
    ),
    (
        r"newuidmap|newgidmap|idmap|uid range",
        "the id ranges in /etc/subuid and /etc/subgid of the node do not fit: run the site playbook against it",
    ),
    (
        r"read/write on closed pipe",
        "most likely the node has no room left where it packs exports: /var/lib/incus/backups, or the volume its "
        "configuration storage.backups_volume names",
    ),
    (r"cannot allocate memory|out of memory", "the node has too little free memory"),
    (
        # Of the two ends of a copy it is chance which one is heard first; the one that sends does not know why.
        r"rsync.*(broken pipe|closed network connection|connection reset)",
        "the node that was to receive it gave up, most often because the storage pool on this node is full; "
        "see 'journalctl -u incus' there",
    ),
)


def without_secrets(text: str) -> str:
    """An error text fit to be shown: where Incus quotes a URL with a token in it, without the token."""
    return re.sub(r"(secret=)[^&\s\"']+", r"\1***", text)


def hint(text: str) -> str:
    """What to do about an error text of Incus; empty where nothing better is known than the text itself."""
    for pattern, advice in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return advice
    return ""
