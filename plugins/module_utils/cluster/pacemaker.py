# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Pacemaker is to be told: options, fence devices, pairs of nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, tostring

from . import fencing, nvpairs, pairs
from .fencing import WATCHDOG, Fence
from .pairs import Pair, Timing

OPTIONS = "cib-bootstrap-options"
"""The set of options Pacemaker reads first, wherever else somebody wrote the same one."""
RECORD = "switchyard"
"""A set of the nodes' own: which copy of a server is the newest. No run touches it."""
MAINTENANCE = "switchyard-maintenance"
"""A set that is there while a run changes something."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the inventory makes of the cluster."""

    nodes: tuple[str, ...]
    """Its members, witnesses included."""
    carriers: tuple[str, ...]
    """Those that carry servers."""
    fences: tuple[Fence, ...]
    timing: Timing = field(default_factory=Timing)
    start_grace: int = 120
    """Seconds that nodes which start wait for one another, before those not seen are fenced. A cluster that is there
    already takes a node in at once."""
    fence_timeout: int = 60
    """Seconds that fencing one node may take."""
    watchdog: int = 10
    """Seconds after which a node has reset itself by its watchdog, if it has one."""


def options(wanted: Wanted) -> dict[str, str]:
    """Pacemaker's options. What is not named here is left as it is."""
    return {
        # Nothing runs where it is not told to: a witness gets no guests by mistake.
        "symmetric-cluster": "false",
        # A part without a majority starts nothing, and stops nothing: the others may be dead rather than it.
        "no-quorum-policy": "freeze",
        "stonith-enabled": "true",
        # Off and not rebooted: a node that died comes back when somebody knows why.
        "stonith-action": "off",
        "stonith-timeout": f"{wanted.fence_timeout}s",
        "concurrent-fencing": "true",
        # Survivors of a disaster are busy. By default Pacemaker then does one thing at a time in the whole cluster: the
        # second pair would wait until all servers of the first have started, however many there are.
        "load-threshold": "10000%",
        "node-action-limit": "32",
        "dc-deadtime": f"{wanted.start_grace}s",
        "stonith-watchdog-timeout": f"{wanted.watchdog}s" if _resetting(wanted.fences) else "0",
    }


def configuration(wanted: Wanted, of: Iterable[Pair]) -> Element:
    """All that is ours in Pacemaker's configuration, with these pairs."""
    made = Element("configuration")
    nvpairs.add(SubElement(made, "crm_config"), "cluster_property_set", OPTIONS, options(wanted))
    resources, constraints = SubElement(made, "resources"), SubElement(made, "constraints")
    found, elsewhere = fencing.devices(wanted.fences)
    resources.extend(found)
    constraints.extend(elsewhere)
    resources.append(pairs.template(wanted.timing))
    for pair in sorted(set(of)):
        resources.append(pairs.resource(pair))
        constraints.extend(pairs.places(pair))
    return made


def possible(wanted: Wanted, pair: Pair) -> bool:
    """Whether a pair is one of this cluster's."""
    return pair.home != pair.backup and {pair.home, pair.backup} <= set(wanted.carriers)


def whole(made: Element) -> str:
    """A configuration as a file Pacemaker's offline tools read."""
    attributes = {
        "validate-with": "pacemaker-3.0",
        "admin_epoch": "0",
        "epoch": "1",
        "num_updates": "0",
        "have-quorum": "1",
    }
    cib = Element("cib", attributes)
    cib.append(made)
    if made.find("nodes") is None:
        made.insert(1, Element("nodes"))
    SubElement(cib, "status")
    return tostring(cib, encoding="unicode")


def _resetting(fences: Iterable[Fence]) -> bool:
    return any(fence.agent == WATCHDOG for fence in fences)
