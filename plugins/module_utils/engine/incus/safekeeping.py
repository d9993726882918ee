# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on a server and its replicas, so that nodes keep them without a controller. Pure.

On both copies, as a refresh brings the server's marks along:

- ``replicas``: the nodes that have a replica, or are just getting one
- ``pair``: ``HOME BACKUP``, where the cluster starts the server on BACKUP once HOME, which carries it now, is dead
- ``keeps``: the state it is to be kept in
- ``failover``: what a node has to know of it to start it and to see that it serves

On a replica alone, kept by the node that has it, all beginning with ``replica.``: how it is refreshed, and how that
went.

A server with a replica does not start with its node (``boot.autostart``): it may run elsewhere by then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ...fleet.model import Check, Copying, Failover, Protection, Server
from .guest import MARK

REPLICAS, PAIR, KEEPS, FAILOVER = f"{MARK}replicas", f"{MARK}pair", f"{MARK}keeps", f"{MARK}failover"
HOME = f"{MARK}home"
"""Where a server was before a failover brought it here. Gone once it was moved, or has a new home by declaration."""
EVERY = f"{MARK}every"
"""How often its replica was refreshed, on a server that a failover promoted: so that a returning node's is, too."""
ASIDE = f"{MARK}aside"
"""On a copy that lost against a newer one, and was put aside under another name: the server it was a copy of."""

OWN = f"{MARK}replica."
"""Keys of a replica that are its own; no copy takes them along."""
INTERVAL, SOURCE, REFRESHED = f"{OWN}interval", f"{OWN}source", f"{OWN}refreshed"
TOOK, TRIED, FAILURES, FAILURE = f"{OWN}took", f"{OWN}tried", f"{OWN}failures", f"{OWN}failure"
REFRESHING = f"{OWN}refreshing"
"""When a refresh began that has not ended: until it has, what the replica holds may be of two moments."""
STATE = f"{OWN}state"
"""The snapshot of the newest complete state, where the pool has them at no cost."""
CHANGING = f"{OWN}changing"
"""``MIB MOMENT``: what was written in the server from refresh to refresh, and as of when that was looked at."""
SYNC, SYNC_SIZE = f"{MARK}sync", f"{MARK}sync_size"
"""On a server whose disk is in step on two nodes: which of each one's devices it is, ``node1=3 node2=0``; and MiB."""
SYNC_NEW = f"{MARK}sync_new"
"""The node that has yet to bring the server's disk onto its device. Nothing else makes a device of what is in Incus'
own directory: on a node where the device is only not mounted, that is empty."""
SYNC_END = f"{MARK}sync_end"
"""The node that has yet to take its side of the device away."""
ALONE = (INTERVAL, SOURCE, REFRESHED, TOOK, TRIED, FAILURES, FAILURE, REFRESHING, STATE, CHANGING)

AUTOSTART = "boot.autostart"
_WANTED = f"{MARK}autostart"
"""What somebody had written there before the server got its first replica."""
LEAP = 1000
"""Generations a failover goes up by, to the next multiple: it outdoes moves it may not have heard of."""

Config = dict[str, str]
_KEEPS: dict[str, Literal["running", "stopped", ""]] = {"running": "running", "stopped": "stopped"}


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a node has to know of a server whose node died."""

    mode: str = "off"
    action: str = "relocate"
    order: int = 50
    delay: float = 0.0
    checks: tuple[Check, ...] = ()
    addresses: tuple[str, ...] = ()
    activate_url: str = ""
    deactivate_url: str = ""


SHARED = (REPLICAS, PAIR, KEEPS, FAILOVER, HOME, _WANTED, SYNC, SYNC_SIZE, SYNC_NEW, SYNC_END)
"""What a server and its replicas bear alike."""
NO_DEVICE: Mapping[str, str] = dict.fromkeys((SYNC, SYNC_SIZE, SYNC_NEW, SYNC_END, PAIR), "")
"""Of a copy whose disk is no device any more, and which nobody is to take over therefore."""


def pair(config: Mapping[str, str]) -> tuple[str, str] | None:
    """(home, backup) of a server the cluster looks after; None: it does not."""
    words = config.get(PAIR, "").split()
    return (words[0], words[1]) if len(words) == 2 else None


def pair_mark(home: str, backup: str) -> Config:
    """The keys that put a server in the care of a pair of nodes."""
    return {PAIR: f"{home} {backup}"}


def replicas(config: Mapping[str, str]) -> tuple[str, ...]:
    """The nodes that have a replica of a server, or are getting one."""
    return tuple(dict.fromkeys(config.get(REPLICAS, "").split()))


def kept(config: Mapping[str, str], nodes: Sequence[str]) -> Config:
    """The keys of a server that has replicas on these nodes from now on; with none it starts with its node again, if
    it did before."""
    before = config.get(_WANTED, "") if replicas(config) else config.get(AUTOSTART, "")
    if not nodes:
        return {REPLICAS: "", AUTOSTART: before, _WANTED: ""}
    return {REPLICAS: " ".join(nodes), AUTOSTART: "false", _WANTED: before}


def replicated(source: str, interval: int, refreshed: float = 0.0) -> Config:
    """The keys of a copy that is a replica from now on, complete as of that moment, or as of what it bears already."""
    keys = dict.fromkeys(ALONE, "") | {INTERVAL: str(interval), SOURCE: source, REFRESHED: moment(refreshed)}
    return {key: value for key, value in keys.items() if refreshed or key != REFRESHED}


def successor(config: Mapping[str, str], home: str, left: str = "") -> Config:
    """The keys of a server that is on ``home`` from now on. Where it was on ``left``, if given, it has a replica.

    Its label names where it is and where it would be started: on its backup as before, or where it came from.
    """
    nodes = [node for node in replicas(config) if node not in (home, left)] + ([left] if left else [])
    keys = {HOME: ""}
    if nodes or replicas(config):
        keys |= kept(config, nodes)
    label = pair(config)
    if label is not None:
        backup = left if label[1] == home else label[1]
        keys |= pair_mark(home, backup) if backup else {PAIR: ""}
    return keys


def rescued(config: Mapping[str, str], here: str, dead: str) -> Config:
    """The keys of a replica that is the server from now on because ``dead``, where that was, has died."""
    came_from = config.get(HOME, "") or dead
    return successor(config, here, dead) | {
        HOME: "" if came_from == here else came_from,
        SYNC_NEW: "",
        SYNC_END: "",
        EVERY: config.get(INTERVAL, "") or config.get(EVERY, ""),
    }


def guarded(config: Mapping[str, str]) -> Guarded:
    """What is known of a server; the defaults where its mark is missing or spoiled."""
    return _guarded(config) or Guarded()


def is_readable(config: Mapping[str, str]) -> bool:
    """Whether what is told of a server can be read, if anything is."""
    return _guarded(config) is not None


def _guarded(config: Mapping[str, str]) -> Guarded | None:
    """What a later release tells besides is left out: better to fail over without that than not at all."""
    try:
        read: dict[str, Any] = json.loads(config.get(FAILOVER, "") or "{}")
        checks = tuple(Check(**_known(each, Check)) for each in read.pop("checks", ()))
        addresses = tuple(read.pop("addresses", ()))
        return Guarded(**_known(read, Guarded), checks=checks, addresses=addresses)
    except (ValueError, TypeError, AttributeError):
        return None


def _known(read: Mapping[str, Any], kind: type[Guarded | Check]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in read.items() if name in names}


def guard_mark(server: Server) -> Config:
    """The key that tells nodes about a server."""
    return {FAILOVER: json.dumps(asdict(_declared(server)), sort_keys=True)}


def outdated(config: Mapping[str, str], server: Server) -> tuple[tuple[str, str, str], ...]:
    """What nodes know of a server otherwise than it is declared: variable, as they know it, as it is declared.

    URLs may hold credentials: that they differ is all that is told.
    """
    known, declared = guarded(config), _declared(server)
    words = {
        "what is told of it": ("", "") if is_readable(config) else ("unreadable", "as declared"),
        "vs_failover": (known.mode, declared.mode),
        "vs_failover_action": (known.action, declared.action),
        "vs_start_order": (str(known.order), str(declared.order)),
        "vs_start_delay": (f"{known.delay:g} s", f"{declared.delay:g} s"),
        "vs_checks": (_checks(known.checks), _checks(declared.checks)),
        "addresses": (", ".join(known.addresses) or "none", ", ".join(declared.addresses) or "none"),
        "URLs of vs_failover_action": ("others", "as declared") if _urls(known) != _urls(declared) else ("", ""),
    }
    return tuple((variable, before, after) for variable, (before, after) in words.items() if before != after)


def _urls(what: Guarded) -> tuple[str, str]:
    return what.activate_url, what.deactivate_url


def _checks(checks: Iterable[Check]) -> str:
    return ", ".join(_check(check) for check in checks) or "none"


def _check(check: Check) -> str:
    path = f" {check.path}" if check.type == "http" else ""
    return f"{check.type} {check.port}{path} within {check.timeout:g} s"


def _declared(server: Server) -> Guarded:
    failover: Failover = server.failover
    return Guarded(
        failover.mode,
        failover.action,
        server.start_order,
        server.start_delay,
        server.checks,
        tuple(leg.address for leg in server.interfaces if leg.address),
        failover.activate_url,
        failover.deactivate_url,
    )


def carrier(config: Mapping[str, str], lost: Collection[str]) -> str:
    """Which of the nodes that died carried the server of a replica: where it was last refreshed from, its label's
    home, or any."""
    label = pair(config)
    likely = (config.get(SOURCE, ""), label[0] if label else "", *sorted(lost))
    return next((node for node in likely if node in lost), "")


def watched(server: Server) -> Config:
    """The keys that tell nodes what a server is to be kept as, and how to see that it serves."""
    return {KEEPS: server.state} | guard_mark(server)


def is_kept(config: Mapping[str, str]) -> bool:
    """Whether nodes have to do with a server by themselves: it has a replica, or the cluster looks after it."""
    return bool(config.get(REPLICAS) or config.get(PAIR))


def lifted(generation: int) -> int:
    """The generation of a copy that a failover promotes, of a server last known in ``generation``."""
    return (generation // LEAP + 1) * LEAP


def outdid(newer: int, older: int) -> bool:
    """Whether a failover lies between two generations of a server: the older copy may hold what no other has."""
    return newer // LEAP > older // LEAP


def copying(config: Mapping[str, str]) -> Copying:
    """How a replica is kept."""
    return Copying(
        in_step=bool(config.get(SYNC)),
        interval=int(number(config.get(INTERVAL, ""))),
        refreshed=number(config.get(REFRESHED, "")),
        failures=int(number(config.get(FAILURES, ""))),
        failure=config.get(FAILURE, ""),
        took=number(config.get(TOOK, "")),
        tried=number(config.get(TRIED, "")),
        changing=changing(config)[0],
    )


def changing(config: Mapping[str, str]) -> tuple[float | None, float]:
    """MiB written in a server from refresh to refresh (None: nobody looked), and as of when that was seen, or 0."""
    words = config.get(CHANGING, "").split()
    return (number(words[0]), number(words[1])) if len(words) == 2 else (None, 0.0)


def changing_mark(mib: float, seen: float) -> Config:
    """The key that tells of it."""
    return {CHANGING: f"{mib:.1f} {moment(seen)}"}


def protection(config: Mapping[str, str], *, running: bool) -> Protection | None:
    """What the cluster does for a primary by itself; None: nothing."""
    nodes = pair(config)
    if nodes is None:
        return None
    keeps = _KEEPS.get(config.get(KEEPS, ""), "")
    return Protection(nodes=nodes, strict=True, keeps=keeps, state="runs" if running else "stands")


def moment(seconds: float) -> str:
    """A time since the epoch, as a mark says it."""
    return f"{seconds:.3f}"


def number(text: str) -> float:
    """A number in a mark; 0 where there is none."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
