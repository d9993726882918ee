# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server's disk on two nodes, as DRBD is told of it. Pure.

A resource per server, not per pair of nodes: a device is written to on one node at a time as a whole, so servers that
shared one could only ever move together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREFIX = "switchyard-"
FIRST_PORT = 7800
"""TCP port of the device with number 0; one port for each device of a node."""
MOST = 1000
"""Devices of one node: ports 7800 to 8799 are kept for them, and nothing else of ours listens there but Incus, whose
port (8443) is left out."""
_TAKEN = frozenset({8443 - FIRST_PORT})
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PATIENCE = 6.0
"""Seconds a node may be silent before the other one takes it for gone, and asks whether it may go on alone."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two nodes has of a resource."""

    node: str
    address: str
    """Where the other node reaches it (IPv4 or IPv6)."""
    number: int
    """Which of the node's devices it is; each node numbers its own."""
    disk: str
    """Block device below."""

    @property
    def device(self) -> str:
        """The block device to make a file system on."""
        return f"/dev/drbd{self.number}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return FIRST_PORT + self.number


@dataclass(frozen=True, slots=True)
class Resource:
    """A server's disk. ``sides``: this node's first, then the other's, whose disk is its own business."""

    server: str
    sides: tuple[Side, Side]
    secret: str
    """What the two know each other by."""

    @property
    def name(self) -> str:
        """As DRBD knows it."""
        return f"{PREFIX}{self.server}"

    @property
    def here(self) -> Side:
        """This node's side."""
        return self.sides[0]


def numbers(text: str) -> dict[str, int]:
    """Node -> its device's number, as a server's mark says it: ``node1=3 node2=0``. Empty where it is spoiled."""
    found: dict[str, int] = {}
    for word in text.split():
        node, _equals, number = word.partition("=")
        if not node or not number.isdecimal() or int(number) >= MOST:
            return {}
        found[node] = int(number)
    return found if len(found) == 2 else {}


def mark(of: Mapping[str, int]) -> str:
    """The opposite of ``numbers``."""
    return " ".join(f"{node}={number}" for node, number in sorted(of.items()))


def free(taken: Iterable[int]) -> int:
    """The lowest number that no device of a node has. Raises ValueError where all are taken."""
    used = {*taken, *_TAKEN}
    for number in range(MOST):
        if number not in used:
            return number
    raise ValueError(f"all of {MOST} devices are taken")


def configuration(resource: Resource, handler: str, called: str) -> str:
    """What ``RESOURCE.res`` says. ``called``: what this node calls itself, whatever the inventory calls it. Raises
    ValueError for what DRBD would read as something else.

    Protocol C: a write is done once both have it. ``resource-and-stonith``: where the other one does not answer, all
    writes wait until ``handler`` has said that the other one's copy counts no more. Nothing is ever thrown away by
    DRBD itself (``after-sb``): of two copies that both were written to, the agent puts one aside.
    """
    for word in (resource.server, resource.secret, called):
        if not _PLAIN.fullmatch(word):
            raise ValueError(f"not a name for DRBD: {word!r}")
    lines = [
        f'resource "{resource.name}" {{',
        "    net {",
        "        protocol C;",
        "        cram-hmac-alg sha256;",
        f'        shared-secret "{resource.secret}";',
        f"        timeout {round(PATIENCE * 10)};",
        "        ping-int 3;",
        "        ping-timeout 30;",
        "        connect-int 3;",
        "        after-sb-0pri disconnect;",
        "        after-sb-1pri disconnect;",
        "        after-sb-2pri disconnect;",
        "    }",
        "    disk {",
        "        fencing resource-and-stonith;",
        "        on-io-error detach;",
        "        c-min-rate 10M;",
        "        c-max-rate 200M;",
        "    }",
        "    handlers {",
        f'        fence-peer "{handler}";',
        "    }",
    ]
    # Not by their addresses (``floating``): a node whose network is down has none, and would not know its own side.
    for side, name in zip(resource.sides, (called, f"not-{called}"), strict=True):
        family, address = ("ipv6", f"[{side.address}]") if ":" in side.address else ("ipv4", side.address)
        lines += [
            f'    on "{name}" {{',
            f"        address {family} {address}:{side.port};",
            f"        device {side.device};",
            f"        disk {side.disk};",
            "        meta-disk internal;",
            "    }",
        ]
    return "\n".join([*lines, "}", ""])
