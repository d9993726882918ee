# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a node's kernel: what is wanted, what is, what differs. Pure.

Most are limits: what a kernel has more of by itself stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Refusal = Literal["absent", "read-only", ""]

EXACT: Final = frozenset(
    {"vm.swappiness", "vm.vfs_cache_pressure", "vm.dirty_bytes", "vm.dirty_background_bytes", "net.core.default_qdisc"}
)
"""Settings that are not limits: more is not better."""
DEFAULTS: Final[Mapping[str, str]] = {
    # Open files: every server's processes open theirs in the node's one kernel.
    "fs.file-max": "2097152",
    "fs.nr_open": "1048576",
    "fs.aio-max-nr": "1048576",
    "fs.inotify.max_user_instances": "8192",
    "fs.inotify.max_user_watches": "1048576",
    "fs.inotify.max_queued_events": "1048576",
    # Processes, and what they take of the kernel.
    "kernel.pid_max": "4194304",
    "kernel.threads-max": "524288",
    "kernel.keys.maxkeys": "20000",
    "kernel.keys.maxbytes": "2000000",
    "vm.max_map_count": "262144",
    # Network buffers.
    "net.core.rmem_max": "16777216",
    "net.core.wmem_max": "16777216",
    "net.core.rmem_default": "1048576",
    "net.core.netdev_max_backlog": "5000",
    "net.core.somaxconn": "4096",
    "net.ipv4.tcp_rmem": "4096 131072 16777216",
    "net.ipv4.tcp_wmem": "4096 65536 16777216",
    "net.ipv4.neigh.default.gc_thresh1": "4096",
    "net.ipv4.neigh.default.gc_thresh2": "8192",
    "net.ipv4.neigh.default.gc_thresh3": "16384",
    "net.ipv6.neigh.default.gc_thresh1": "4096",
    "net.ipv6.neigh.default.gc_thresh2": "8192",
    "net.ipv6.neigh.default.gc_thresh3": "16384",
    # Connection tracking.
    "net.netfilter.nf_conntrack_max": "1048576",
    "net.netfilter.nf_conntrack_udp_timeout": "60",
    "net.netfilter.nf_conntrack_udp_timeout_stream": "180",
    # File-system cache.
    "vm.swappiness": "10",
    "vm.vfs_cache_pressure": "50",
    "vm.dirty_background_bytes": "67108864",
    "vm.dirty_bytes": "268435456",
}
"""Why each: docs/tuning.md."""
_NUMBER: Final = re.compile(r"-?(0x[0-9a-fA-F]+|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Found:
    """One setting as it is on the node. ``value`` is None where there is none."""

    value: str | None
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is to be done."""

    change: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Setting -> (before, after)."""
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    """Settings that cannot be had here, and why."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """What the file has to say, so that it is so after a restart."""


def mistakes(said: Mapping[str, object], found: Mapping[str, Found]) -> list[str]:
    """What the inventory asks for that cannot be. Those of DEFAULTS may be absent or read-only: then they are told."""
    told = []
    for key, value in said.items():
        text = plain(str(value)) if value is not None else ""
        if not text:
            continue
        now, own = found[key], key not in DEFAULTS
        trouble = _misfit(now.value, text) if now.value is not None else "no such setting of this node's kernel"
        if not trouble and own and not now.writable and plain(now.value or "") != text:
            trouble = "cannot be set here"
        if trouble and (own or now.value is not None):
            told.append(f'{key}: "{text}": {trouble}')
    return told


def _misfit(now: str, text: str) -> str:
    """Why a text cannot be the value of a setting that is ``now``; empty if it can, as far as one sees."""
    have = now.split()
    if not have or not all(_NUMBER.fullmatch(part) for part in have):
        return ""
    want = text.split()
    if len(want) <= len(have) and all(_NUMBER.fullmatch(part) for part in want):
        return ""
    return "accepted: a number" if len(have) == 1 else f"accepted: {len(have)} numbers"


def wanted(overrides: Mapping[str, object]) -> dict[str, str]:
    """The defaults with what the inventory says instead; what it leaves empty is left alone."""
    said = {key: plain(str(value)) if value is not None else "" for key, value in overrides.items()}
    return {key: value for key, value in {**DEFAULTS, **said}.items() if value}


def plan(asked: Mapping[str, str], found: Mapping[str, Found], file: Mapping[str, str]) -> Tuning:
    """Compare. ``file`` is what our file says so far."""
    change: dict[str, tuple[str, str]] = {}
    refused: dict[str, Refusal] = {}
    keep: dict[str, str] = {}
    for key, value in asked.items():
        now = found[key]
        if now.value is None:
            refused[key] = "absent"
        elif not enough(key, now.value, value):
            if not now.writable:
                refused[key] = "read-only"
                continue
            target = raised(key, now.value, value)
            change[key] = (plain(now.value), target)
            keep[key] = target
        elif key in file:
            keep[key] = _kept(key, file[key], value)
        elif now.writable and not _limit(key):
            # It is so now; whether it is after the next start, nobody but the file can say.
            keep[key] = value
        # What the kernel has more of by itself is not in the file: at the next start that would take it away.
    return Tuning(change, refused, keep)


def _kept(key: str, said: str, value: str) -> str:
    """What the file goes on to say. Of several limits in one setting, those that were larger by themselves stay so."""
    several = _limit(key) and len(value.split()) > 1
    return said if several and enough(key, said, value) else value


def _limit(key: str) -> bool:
    return key in DEFAULTS and key not in EXACT


def enough(key: str, now: str, value: str) -> bool:
    """Whether a setting is as wanted, or a limit above that."""
    return plain(now) == plain(value) if _exact(key, now, value) else raised(key, now, value) == plain(now)


def raised(key: str, now: str, value: str) -> str:
    """What to write: of several limits in one setting, each that is larger already stays."""
    if _exact(key, now, value):
        return plain(value)
    pairs = zip(_numbers(now), _numbers(value), strict=True)
    return " ".join(str(max(pair)) for pair in pairs)


def _exact(key: str, now: str, value: str) -> bool:
    have, want = _numbers(now), _numbers(value)
    return not _limit(key) or not want or len(have) != len(want)


def _numbers(text: str) -> list[int]:
    parts = text.split()
    return [int(part) for part in parts] if all(re.fullmatch(r"[0-9]+", part) for part in parts) else []


def plain(text: str) -> str:
    """One blank between numbers, as people write them."""
    return " ".join(text.split())


def read_file(text: str) -> dict[str, str]:
    """What a file of sysctl.d says."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.lstrip("-").split("=", 1) for line in lines if "=" in line and line[0] not in "#;")
    return {key.strip(): plain(value) for key, value in pairs}


def write_file(keep: Mapping[str, str], note: str) -> str:
    """The file. A dash: a module that is not there yet when the file is read is no error."""
    lines = [f"{'-' if key.startswith('net.netfilter.') else ''}{key} = {keep[key]}\n" for key in sorted(keep)]
    return "".join([f"# {note}\n", *lines]) if lines else ""
