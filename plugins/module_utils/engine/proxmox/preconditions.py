# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Proxmox VE itself says beforehand of a guest's way to another node.

It is asked, and not relied on: it allows containers every node whatever mounts and storages they have, and does not say
more than the version it is of. VMs are answered for in all versions, containers since 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..base import Progress, Refused
from .client import Client
from .guests import Found


def preconditions(client: Client, found: Found, node: str, attempt: str, progress: Progress) -> Iterator[str]:
    """What stands in the way, in a few words each. One request."""
    try:
        answer = client.get(f"{found.path}/migrate", attempt, node=found.node)
    except Refused as error:
        if not re.search(r"not implemented", error.answer, re.IGNORECASE):
            raise
        return
    companions = answer.get("dependent-ha-resources") or ()
    if companions:
        progress(f"the HA manager brings {', '.join(map(str, companions))} along")
    yield from _devices(answer)
    refused = answer.get("not_allowed_nodes") or answer.get("not-allowed-nodes") or {}
    yield from _node(refused.get(node) or {}, node)


def _devices(answer: Mapping[str, Any]) -> Iterator[str]:
    own = answer.get("local_resources") or ()
    if own:
        yield f"it uses devices of this node ({', '.join(map(str, own))})"
    mapped = answer.get("mapped-resource-info") or {}
    still = sorted(key for key, info in mapped.items() if not (info or {}).get("live-migration"))
    if answer.get("running") and still:
        yield f"it runs, and uses mapped devices that do not move meanwhile ({', '.join(still)})"


def _node(why: Mapping[str, Any], node: str) -> Iterator[str]:
    storages = why.get("unavailable_storages") or why.get("unavailable-storages") or ()
    if storages:
        yield f"storage {', '.join(map(str, storages))} is not available on {node}"
    resources = why.get("unavailable-resources") or ()
    if resources:
        yield f"{node} has no mapped device {', '.join(map(str, resources))}"
    for each in why.get("blocking-ha-resources") or ():
        yield f"the HA manager keeps it from {node}: {each.get('sid')} ({each.get('cause')})"
