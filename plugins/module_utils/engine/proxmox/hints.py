# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error texts of Proxmox VE: whole, and what to do about those it is known for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"no quorum|cluster not ready|Permission denied at .*pmxcfs",
        "more than half of the cluster's nodes have to be up and see each other: see 'pvecm status' on a node",
    ),
    (
        r"VM\.Config\.Options|tag '.*' |modify tags?\b",
        "the role of the API user needs VM.Config.Options on /vms: a guest is marked ours by its tags",
    ),
    (
        r"\(/pool/[^,]*, VM\.Allocate|pool '[^']*' does not exist",
        "see that the resource pool exists (vs_resource_pool), and that the API user has VM.Allocate on /pool/NAME",
    ),
    (r"permission check failed|permission denied", "give the API user's role the privilege named, on the path named"),
    (
        r"out of space|no space left|not enough (free )?space|quota exceeded",
        "the storage on this node is full: free space, enlarge it or raise the node's disk reserve",
    ),
    (
        r"storage '[^']*' (does not exist|is not available|is disabled)|storage '[^']*' does not support",
        "the node has no such storage for disks of guests: see vs_pool and the storage's nodes and content",
    ),
    (r"bridge '[^']*' does not exist", "the node has no such bridge: see node_bridge and the network's bridge"),
    (
        r"can't lock file|got (lock )?(request )?timeout",
        "something else holds the guest's lock; a backup or a clone may take minutes: try again later",
    ),
    (
        r"is locked \((\w[\w-]*)\)",
        "another task has locked the guest; if none runs any more, 'pct unlock VMID' (or 'qm unlock VMID') on its node",
    ),
    (r"detected modified configuration", "somebody else changed it meanwhile: try again"),
    (
        r"no such cluster node|hostname lookup '[^']*' failed",
        "the inventory's name of the node has to be its name in the cluster",
    ),
    (r"(migrate|move) .*(bind|device) mount|local (device|mount point)", "take the mount off, or leave it where it is"),
    (
        r"volume '[^']*' does not exist|can't find file|unable to find .*template",
        "the template's archive is not on this node: put it on a storage with content vztmpl",
    ),
    (r"unable to shrink", "disks only grow"),
    (r"ha groups have been migrated to rules", "this version has affinity rules instead of HA groups"),
    (r"two-?factor|second factor|TFA", "use an API token: an account with a second factor cannot log in unattended"),
)


def readable(reason: str, body: Mapping[str, Any]) -> str:
    """All that an answer says of its error.

    The text is in the reason phrase, better in ``message`` of the body where it has one: a reason phrase holds no line
    ends, and no letters beyond Latin-1. What is wrong with which parameter is only in ``errors``.
    """
    text = str(body.get("message") or "").strip() or _decoded(reason).strip()
    errors = body.get("errors")
    if isinstance(errors, Mapping) and errors:
        text += " " + "; ".join(f"{name}: {str(what).strip()}" for name, what in sorted(errors.items()))
    return " ".join(text.split())


def _decoded(reason: str) -> str:
    """Header lines are read as Latin-1; Proxmox VE writes UTF-8."""
    try:
        return reason.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return reason


def hint(text: str) -> str:
    """What to do about an error text; empty where nothing better is known than the text itself."""
    for pattern, advice in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return advice
    return ""
