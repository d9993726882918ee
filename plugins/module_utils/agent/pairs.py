# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pairs of nodes that Pacemaker looks after, and those it has to by the labels of the servers here.

They are only ever added: an empty pair costs next to nothing, and one that is missing costs a telephone exchange. What
no server needs any more, the role ``failover`` takes away.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from xml.etree.ElementTree import Element, ParseError, fromstring

from ..cluster.pairs import TEMPLATE, Pair, addition, found
from ..engine.base import EngineError
from ..engine.incus import safekeeping
from ..engine.incus.guests import Found
from . import cib
from .settings import Settings

_LOOK = "see which pairs of nodes there are"


def arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.description = "Add what is missing, and list what is there."


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Add what is missing; say what is there."""
    clients = settings.clients([settings.here])
    try:
        copies = settings.guests(clients[settings.here]).all("see which pairs of nodes servers here need")
    finally:
        clients[settings.here].close()
    for pair in sorted(bring_in_step(settings, copies.values())):
        sys.stdout.write(f"{pair.home} {pair.backup}\n")
    return 0


def bring_in_step(settings: Settings, copies: Iterable[Found]) -> frozenset[Pair]:
    """The pairs Pacemaker looks after once those are added that servers here need. Raises EngineError where there is no
    cluster to ask, or where the role ``failover`` has not told it yet what a pair is."""
    return with_missing(settings, copies, configuration())


def with_missing(settings: Settings, copies: Iterable[Found], configuration: Element) -> frozenset[Pair]:
    """The same, with Pacemaker's configuration in hand."""
    known = _known(configuration)
    missing = needed(settings, copies) - known
    if missing:
        cib.add("add pairs of nodes", "configuration", addition(missing))
    return known | missing


def needed(settings: Settings, copies: Iterable[Found]) -> frozenset[Pair]:
    """Of every label of a server here both directions: what one pair brings to the backup, the other keeps there. Pure.

    A label that names a node which is none of the fleet's is nobody's.
    """
    carriers = {settings.here, *settings.others()}
    wanted: set[Pair] = set()
    for each in copies:
        label = safekeeping.pair(each.config)
        if label is not None and not each.replica and label[0] != label[1] and set(label) <= carriers:
            wanted |= {Pair(*label), Pair(*reversed(label))}
    return frozenset(wanted)


def configuration() -> Element:
    """Pacemaker's. Raises EngineError where there is no cluster to ask."""
    try:
        return fromstring(cib.query(_LOOK, "--scope", "configuration"))  # noqa: S314 - this node's own cluster
    except ParseError as error:
        raise cib.trouble(_LOOK, f"not the XML it should be: {error}") from None


def dropped(pair: Pair) -> bool:
    """Whether Pacemaker is certainly told no more to look after a pair: what it still runs of it, it stops, and starts
    nowhere."""
    try:
        return pair not in found(configuration()).values()
    except EngineError:
        return False


def _known(configuration: Element) -> frozenset[Pair]:
    if configuration.find(f".//template[@id='{TEMPLATE}']") is None:
        raise EngineError("cluster", _LOOK, "it was not told what a pair is", "run the site playbook (role failover)")
    return frozenset(found(configuration).values())
