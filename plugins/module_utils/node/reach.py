# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does another node answer, by this network, at the full length of a packet?"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .preflight import Unfit

_HEADERS = {4: 28, 6: 48}
"""Bytes of a packet that are not ping's own."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Target:
    """An address of another node, and ours in the same network."""

    network: str
    node: str
    address: str
    source: str
    mtu: int


def ask(targets: Iterable[Target]) -> list[Unfit]:
    """What is wrong with those that do not answer as they should."""
    wanted = list(targets)
    if not wanted:
        return []
    with ThreadPoolExecutor(max_workers=min(len(wanted), _AT_ONCE)) as pool:
        return [each for each in pool.map(_ask, wanted) if each]


def _ask(target: Target) -> Unfit | None:
    if _ping(target, target.mtu):
        return None
    check = f"network {target.network}"
    who = f"{target.address} ({target.node})"
    if _ping(target, 576):
        found = f"{who} answers short packets, and none of {target.mtu} bytes"
        return Unfit(check, found, f"mtu {target.mtu} on every switch between, or a smaller one in node_interfaces")
    return Unfit(check, f"{who} does not answer {target.source}", "one network, and no firewall between its nodes")


def _ping(target: Target, length: int) -> bool:
    words = command(target, length)
    try:
        return subprocess.run(words, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def command(target: Target, length: int) -> Sequence[str]:
    """Three tries, as the first may be lost while addresses are being found out; no packet is taken to pieces."""
    size = length - _HEADERS[6 if ":" in target.address else 4]
    tries = ["-c", "3", "-i", "0.3", "-W", "1", "-w", "5"]
    return ["ping", "-n", "-q", *tries, "-M", "do", "-s", str(size), "-I", target.source, target.address]
