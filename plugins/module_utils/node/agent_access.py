# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which agents a node's Incus lets in, and how fast they may copy: what differs from what is wanted. Pure.

A node's own agent may do anything there. Those of other nodes fetch and bring servers, which are in the project
default, and have no business elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .facts import fingerprint

PROJECT = "default"
BANDWIDTH = "rsync.bwlimit"
LIMITED = ("dir", "lvm")
"""Drivers whose disks travel by rsync. Others send streams of their own, which Incus has no limit for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A client to be trusted."""

    name: str
    certificate: str
    """PEM."""
    restricted: bool

    @property
    def body(self) -> dict[str, Any]:
        """What Incus is told of it."""
        projects = [PROJECT] if self.restricted else []
        return {"type": "client", "name": self.name, "restricted": self.restricted, "projects": projects}


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be done, and nothing else."""

    trust: tuple[Entry, ...] = ()
    rewrite: Mapping[str, Entry] = field(default_factory=dict)
    """Fingerprint -> how a certificate that is known already is to be trusted."""
    forget: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint -> name, of those not to be trusted any more."""
    pools: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Pool -> its limit (before, after)."""
    unlimited: tuple[str, ...] = ()
    """Pools that no limit can be set for."""

    def __bool__(self) -> bool:
        return bool(self.trust or self.rewrite or self.forget or self.pools)

    def diff(self) -> dict[str, dict[str, Any]]:
        """Before and after, as Ansible shows them."""
        before: dict[str, Any] = {f"trusted {name}": f"sha256 {print_}" for print_, name in self.forget.items()}
        after: dict[str, Any] = {f"trusted {each.name}": _told(each) for each in self.trust}
        for each in self.rewrite.values():
            before[f"trusted {each.name}"] = "with other rights, or under another name"
            after[f"trusted {each.name}"] = _told(each)
        for pool, (old, new) in self.pools.items():
            before[f"storage pool {pool} {BANDWIDTH}"] = old
            after[f"storage pool {pool} {BANDWIDTH}"] = new
        return {"before": before, "after": after}


def entry_name(fleet: str, node: str) -> str:
    """The name a node's agent is trusted under. No fleet's name has a colon in it."""
    return f"switchyard-{fleet}:{node}"


def access(
    fleet: str, here: str, certificates: Mapping[str, str], nodes: Sequence[str], known: Sequence[Mapping[str, Any]]
) -> Changes:
    """Compare with the answer of ``/1.0/certificates``.

    ``certificates``: node -> PEM, of the agents that are known; ``nodes``: all that are to stay trusted, even if what
    their agents show is not known now. ``here`` is this node.
    """
    wanted = {
        fingerprint(pem): Entry(entry_name(fleet, node), pem, restricted=node != here)
        for node, pem in certificates.items()
    }
    found = {str(each["fingerprint"]): each for each in known}
    superseded = {each.name for each in wanted.values()}
    kept = {entry_name(fleet, node) for node in nodes} - superseded
    ours = {print_: str(each.get("name", "")) for print_, each in found.items() if _ours(fleet, each)}
    return Changes(
        trust=tuple(each for print_, each in wanted.items() if print_ not in found),
        rewrite={
            print_: each
            for print_, each in wanted.items()
            if print_ in found and any(found[print_].get(key) != value for key, value in _judged(each).items())
        },
        forget={print_: name for print_, name in ours.items() if print_ not in wanted and name not in kept},
    )


def bandwidth(limit: str | None, pools: Sequence[Mapping[str, Any]]) -> Changes:
    """Compare with the answer of ``/1.0/storage-pools``. An empty limit is none; ``None``: as it is."""
    if limit is None:
        return Changes()
    before = {str(pool["name"]): str((pool.get("config") or {}).get(BANDWIDTH, "")) for pool in pools}
    limited = {str(pool["name"]) for pool in pools if pool.get("driver") in LIMITED}
    return Changes(
        pools={name: (old, limit) for name, old in before.items() if name in limited and old != limit},
        unlimited=tuple(sorted(set(before) - limited)) if limit else (),
    )


def _ours(fleet: str, entry: Mapping[str, Any]) -> bool:
    return str(entry.get("name", "")).startswith(entry_name(fleet, ""))


def _judged(entry: Entry) -> dict[str, Any]:
    """What has to be so of an entry. Projects of one that may do anything say nothing."""
    return {key: value for key, value in entry.body.items() if key != "projects" or entry.restricted}


def _told(entry: Entry) -> str:
    rights = f"project {PROJECT} only" if entry.restricted else "everything"
    return f"sha256 {fingerprint(entry.certificate)}, {rights}"
