# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nodes are fenced, in Pacemaker's configuration; and what a fence agent says of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring

from . import nvpairs

PREFIX = "switchyard-fence-"
WATCHDOG = "watchdog"
"""The agent's name, in an inventory, of a node that resets itself."""
OWN = "pcmk_"
"""Parameters that begin so are Pacemaker's, not the agent's."""
_OPEN = frozenset({"ip", "ipaddr", "ipport", "plug", "port", "nodename"})
_PLUGS = frozenset({"plug", "port"})


@dataclass(frozen=True, slots=True)
class Fence:
    """How one node is fenced."""

    node: str
    agent: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def identity(self) -> str:
        """The device's name."""
        return f"{PREFIX}{self.node}"


def devices(fences: Iterable[Fence]) -> tuple[list[Element], list[Element]]:
    """Fence devices, and where they may be used: never by the node they are for.

    A node that is cut off would otherwise cut its own power before anybody knows that it did.
    """
    resources, constraints = [], []
    resetting = sorted(fence.node for fence in fences if fence.agent == WATCHDOG)
    if resetting:
        # One device for all of them, under the name Pacemaker knows: it is done once enough time has passed.
        parameters = {"pcmk_host_list": " ".join(resetting), "pcmk_host_check": "static-list"}
        resources.append(_device(f"{PREFIX}{WATCHDOG}", "fence_watchdog", parameters))
        constraints.append(_allowed(f"{PREFIX}{WATCHDOG}", {"operation": "defined"}))
    for fence in sorted((each for each in fences if each.agent != WATCHDOG), key=lambda each: each.node):
        resources.append(_device(fence.identity, fence.agent, parameters_of(fence)))
        constraints.append(_allowed(fence.identity, {"operation": "ne", "value": fence.node}))
    return resources, constraints


def parameters_of(fence: Fence) -> dict[str, str]:
    """What the device is told: the agent's parameters, and for which node it is."""
    told = {"pcmk_host_list": fence.node, "pcmk_host_check": "static-list"}
    if _PLUGS & fence.parameters.keys():
        # The inventory says which plug; Pacemaker would otherwise put the node's name in its place.
        told["pcmk_host_argument"] = "none"
    return {**told, **fence.parameters}


def secrets(parameters: Mapping[str, str]) -> set[str]:
    """Values nobody is to see. Which plug on which switch is none of them, and telling mistakes needs node names."""
    return {value for name, value in parameters.items() if value and name not in _OPEN and not name.startswith(OWN)}


def _device(identity: str, agent: str, parameters: Mapping[str, str]) -> Element:
    made = Element("primitive", {"id": identity, "class": "stonith", "type": agent})
    nvpairs.add(made, "instance_attributes", f"{identity}-parameters", parameters)
    operations = SubElement(made, "operations")
    monitor = {"name": "monitor", "interval": "300s", "timeout": "60s"}
    SubElement(operations, "op", {"id": f"{identity}-monitor", **monitor})
    return made


def _allowed(device: str, nodes: Mapping[str, str]) -> Element:
    """Where a device may be used: in a cluster where nothing runs where it is not told to, nowhere else."""
    identity = f"{device}-elsewhere"
    made = Element("rsc_location", {"id": identity, "rsc": device})
    rule = SubElement(made, "rule", {"id": f"{identity}-rule", "score": "100"})
    SubElement(rule, "expression", {"id": f"{identity}-node", "attribute": "#uname", **nodes})
    return made


# ---------------------------------------------------------------- what an agent says of itself


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a fence agent takes."""

    parameters: frozenset[str]
    required: frozenset[str]
    actions: frozenset[str]


def metadata(text: str) -> Metadata | None:
    """What the XML says that an agent prints of itself; None: it is no such XML."""
    try:
        root = fromstring(text)  # noqa: S314  what runs as root here says so itself
    except ParseError:
        return None
    if root.tag != "resource-agent":
        return None
    parameters = [each for each in root.iter("parameter") if each.get("name")]
    return Metadata(
        frozenset(each.get("name", "") for each in parameters),
        frozenset(each.get("name", "") for each in parameters if each.get("required") == "1"),
        frozenset(each.get("name", "") for each in root.iter("action")),
    )


def mistakes(known: Metadata, parameters: Mapping[str, str]) -> Sequence[str]:
    """What is wrong with the parameters somebody gives an agent."""
    given = {name for name in parameters if not name.startswith(OWN)}
    # Old and new name of one thing: agents say which plug under either, and Pacemaker's own name for it counts, too.
    needed = {name for name in known.required - given - {"action"} if not (name in _PLUGS and given & _PLUGS)}
    wrong = [f"does not take {name}" for name in sorted(given - known.parameters)]
    wrong += [f"needs {name}" for name in sorted(needed)]
    if known.actions and "off" not in known.actions:
        wrong.append("cannot switch off, which fencing a node is")
    return wrong
