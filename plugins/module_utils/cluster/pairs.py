# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of nodes in Pacemaker's configuration: a resource that runs on ``home``, and on ``backup`` once home is dead.
Pure.

All pairs are made from one template, which holds how often and how long: the role ``failover`` writes it, and whoever
adds a pair later, as a node's agent does, need not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from . import nvpairs

TEMPLATE = "switchyard-pair"
AGENT = {"class": "ocf", "provider": "switchyard", "type": "pair"}
HOME_SCORE, BACKUP_SCORE = 1000, 500


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """``backup`` starts what ``home`` carries."""

    home: str
    backup: str

    @property
    def identity(self) -> str:
        """The resource's name. Hyphens within names are doubled: no two pairs share one."""
        return f"pair-{_name(self.home)}-{_name(self.backup)}"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: how often a pair is looked at, and how long each thing may take."""

    monitor: int = 5
    monitor_timeout: int = 60
    start_timeout: int = 600
    """All of a node's servers, one start order after the other, with the delays between them."""
    stop_timeout: int = 600
    """A stop that takes longer has failed, and the node is fenced: nothing may start elsewhere before."""
    forget: int = 600
    """After this long a pair may come back to a node it failed on."""


def template(timing: Timing) -> Element:
    """What all pairs have in common."""
    made = Element("template", {"id": TEMPLATE, **AGENT})
    # To fail once is to leave: the agent has restarted in place, more than once, before it says so.
    meta = {"migration-threshold": "1", "failure-timeout": f"{timing.forget}s", "resource-stickiness": "0"}
    nvpairs.add(made, "meta_attributes", f"{TEMPLATE}-meta", meta)
    operations = SubElement(made, "operations")
    for name, interval, timeout in (
        ("start", 0, timing.start_timeout),
        ("stop", 0, timing.stop_timeout),
        ("monitor", timing.monitor, timing.monitor_timeout),
    ):
        what = {"name": name, "interval": f"{interval}s", "timeout": f"{timeout}s"}
        if name == "stop":
            what["on-fail"] = "fence"
        SubElement(operations, "op", {"id": f"{TEMPLATE}-{name}", **what})
    return made


def resource(pair: Pair) -> Element:
    """The resource of a pair."""
    made = Element("primitive", {"id": pair.identity, "template": TEMPLATE})
    parameters = {"home": pair.home, "backup": pair.backup}
    nvpairs.add(made, "instance_attributes", f"{pair.identity}-parameters", parameters)
    return made


def places(pair: Pair) -> list[Element]:
    """Where it may run, and is looked for: nowhere else, as nothing runs where it is not told to."""
    return [
        Element(
            "rsc_location",
            {
                "id": f"{pair.identity}-{role}",
                "rsc": pair.identity,
                "node": node,
                "score": str(score),
                "resource-discovery": "exclusive",
            },
        )
        for role, node, score in (("home", pair.home, HOME_SCORE), ("backup", pair.backup, BACKUP_SCORE))
    ]


def addition(pairs: Iterable[Pair]) -> str:
    """What adds pairs to a configuration that has the template.

    For ``cibadmin --modify --allow-create --scope configuration --xml-pipe``; pairs that are there stay as they are.
    """
    made = Element("configuration")
    resources, constraints = SubElement(made, "resources"), SubElement(made, "constraints")
    for pair in sorted(set(pairs)):
        resources.append(resource(pair))
        constraints.extend(places(pair))
    return tostring(made, encoding="unicode")


def found(configuration: Element) -> dict[str, Pair]:
    """Resource -> pair, of all pairs in a configuration (the element ``configuration`` or any above it)."""
    pairs = {}
    for each in configuration.iter("primitive"):
        ours = each.get("template") == TEMPLATE or all(each.get(key) == value for key, value in AGENT.items())
        said = nvpairs.read(each.find("instance_attributes"))
        if ours and {"home", "backup"} <= said.keys():
            pairs[each.get("id", "")] = Pair(said["home"], said["backup"])
    return pairs


def _name(node: str) -> str:
    return node.replace("-", "--")
