# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pacemaker's live configuration beside the wanted one: what the whole is to be, and what differs, for a person. Pure.

What others added, resources and constraints and options, stays as it is; it is named, as it may get in our way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from . import fencing, nvpairs, pairs
from .pacemaker import MAINTENANCE, OPTIONS, RECORD, Wanted, configuration, possible

_SECTIONS = ("resources", "constraints")
_CLUSTERS_OWN = frozenset({"have-watchdog", "dc-version", "cluster-infrastructure", "cluster-name", "last-lrm-refresh"})
_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome."""

    merged: Element
    """The element ``configuration`` as it is to be."""
    before: tuple[str, ...]
    """What is ours, a line each, without anything secret."""
    after: tuple[str, ...]
    strangers: tuple[str, ...]
    """What is not ours, and stays."""
    gone: tuple[str, ...]
    """Nodes Pacemaker still knows that are no members any more."""

    @property
    def differs(self) -> bool:
        """Whether anything has to be changed."""
        return self.before != self.after


def compare(live: Element, wanted: Wanted) -> Comparison:
    """Compare. ``live``: the element ``configuration``, or a whole ``cib``.

    The nodes' agents add pairs as servers need them: those that are there and possible stay.
    """
    found = live if live.tag == "configuration" else live.find("configuration")
    now = Element("configuration") if found is None else found
    kept = [pair for pair in pairs.found(now).values() if possible(wanted, pair)]
    ours = configuration(wanted, kept)
    merged = deepcopy(now)
    _merge_options(merged, ours)
    for name in _SECTIONS:
        _merge_section(merged, ours, name, _identities(now, name))
    before, after = dict(_lines(now, ours)), dict(_lines(merged, ours))
    return Comparison(
        merged,
        tuple(before.values()),
        tuple(_telling(key, line, before, now, merged) for key, line in after.items()),
        tuple(_strangers(now, ours)),
        tuple(sorted(each.get("uname", "") for each in now.iter("node") if each.get("uname") not in wanted.nodes)),
    )


def same(one: Element, other: Element) -> bool:
    """Whether two elements say the same, whatever the order of their attributes and of what is in them."""
    return _normal(one) == _normal(other)


# ---------------------------------------------------------------- the whole, as it is to be


def _merge_options(merged: Element, ours: Element) -> None:
    section = _section(merged, "crm_config")
    for each in section.findall("cluster_property_set"):
        if each.get("id") == MAINTENANCE:
            section.remove(each)
    held = section.find(f"cluster_property_set[@id='{OPTIONS}']")
    if held is None:
        held = SubElement(section, "cluster_property_set", {"id": OPTIONS})
    for name, value in _options(ours).items():
        there = held.find(f"nvpair[@name='{name}']")
        if there is None:
            SubElement(held, "nvpair", {"id": f"{OPTIONS}-{name}", "name": name, "value": value})
        else:
            there.set("value", value)


def _merge_section(merged: Element, ours: Element, name: str, managed: frozenset[str]) -> None:
    section = _section(merged, name)
    wanted = {each.get("id", ""): each for each in _section(ours, name)}
    for each in list(section):
        identity = each.get("id", "")
        if identity in wanted:
            if not same(each, wanted[identity]):
                section[list(section).index(each)] = deepcopy(wanted[identity])
            del wanted[identity]
        elif identity in managed:
            section.remove(each)
    section.extend(deepcopy(each) for each in wanted.values())
    if name == "constraints":
        _remove_orphans(merged, section)


def _remove_orphans(merged: Element, constraints: Element) -> None:
    """Constraints on resources that just left, somebody's ban of a pair for one: Pacemaker would refuse the whole."""
    there = {each.get("id") for each in _section(merged, "resources").iter()}
    for each in list(constraints):
        if {value for key in ("rsc", "with-rsc") if (value := each.get(key))} - there:
            constraints.remove(each)


def _section(parent: Element, name: str) -> Element:
    found = parent.find(name)
    return SubElement(parent, name) if found is None else found


def _identities(live: Element, section: str) -> frozenset[str]:
    """What is ours of what is there."""
    theirs = pairs.found(live)
    resources = {pairs.TEMPLATE, *theirs} | {
        each.get("id", "") for each in live.iter("primitive") if each.get("id", "").startswith(fencing.PREFIX)
    }
    if section == "resources":
        return frozenset(resources)
    endings = ("-home", "-backup", "-elsewhere")
    return frozenset(f"{resource}{ending}" for resource in resources for ending in endings)


# ---------------------------------------------------------------- for a person


def _lines(live: Element, ours: Element) -> Iterator[tuple[str, str]]:
    """What is ours in a configuration: a key to compare by, and a line to read."""
    section = live.find("crm_config")
    if section is not None:
        for each in section.findall("cluster_property_set"):
            if each.get("id") == MAINTENANCE:
                yield MAINTENANCE, "maintenance, left by a run that was cut off"
            if each.get("id") == OPTIONS:
                managed = _options(ours)
                for name, value in sorted(nvpairs.read(each).items()):
                    if name in managed:
                        yield f"option {name}", f"{name}: {value}"
    for part in _SECTIONS:
        ids = _identities(live, part) | {each.get("id", "") for each in _section(ours, part)}
        held = live.find(part)
        for each in sorted(held if held is not None else (), key=lambda each: each.get("id", "")):
            if each.get("id", "") in ids:
                yield f"{part} {each.get('id')}", _line(each)


def _line(element: Element) -> str:
    """An element of ours in one line; parameters of a fence device are its agent's, and may be secret."""
    identity = element.get("id", "")
    secret = identity.startswith(fencing.PREFIX)
    words = [identity]
    for each in element.iter():
        said = {key: value for key, value in sorted(each.attrib.items()) if key not in ("id", "rsc")}
        if each.tag == "nvpair":
            name, value = each.get("name", ""), each.get("value", "")
            words.append(f"{name}={_HIDDEN if secret and not name.startswith(fencing.OWN) else value}")
        elif each is not element and each.tag == "op":
            words.append(" ".join([said.pop("name"), *(f"{key}={value}" for key, value in said.items())]) + ";")
        elif said:
            words.append(" ".join(f"{key}={value}" for key, value in said.items()))
    return " ".join(words)


def _telling(key: str, line: str, before: Mapping[str, str], now: Element, merged: Element) -> str:
    """A line that reads as before although what it hides is another: say so."""
    if before.get(key) != line or _HIDDEN not in line:
        return line
    part, _space, identity = key.partition(" ")
    one, other = (each.find(f"{part}/*[@id='{identity}']") for each in (now, merged))
    return line if one is None or other is None or same(one, other) else f"{line} (another value)"


def _strangers(live: Element, ours: Element) -> Iterator[str]:
    managed = _options(ours)
    section = live.find("crm_config")
    for each in section if section is not None else ():
        if each.get("id") in (RECORD, MAINTENANCE):
            continue
        for name, value in sorted(nvpairs.read(each).items()):
            if name not in _CLUSTERS_OWN and not (each.get("id") == OPTIONS and name in managed):
                yield f"option {name}: {value}"
    for part in _SECTIONS:
        mine = _identities(live, part) | {each.get("id", "") for each in _section(ours, part)}
        held = live.find(part)
        for each in held if held is not None else ():
            if each.get("id", "") not in mine:
                yield f"{each.tag} {each.get('id')}"


def _options(ours: Element) -> dict[str, str]:
    return nvpairs.read(ours.find(f"crm_config/cluster_property_set[@id='{OPTIONS}']"))


def _normal(element: Element) -> tuple[str, tuple[tuple[str, str], ...], tuple[object, ...]]:
    inside = sorted((_normal(each) for each in element), key=repr)
    return element.tag, tuple(sorted(element.attrib.items())), tuple(inside)
