# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster remembers of promotions: which node has the newest copy of a server, and its generation.

It is written before the cluster promotes a copy, and by the node that has a server once a person promoted or moved it,
into Pacemaker's configuration, which every member has and a majority keeps: a node that comes back while the promoted
copy's node is dead finds there that its own is older.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from ..cluster import nvpairs
from ..cluster.pacemaker import RECORD
from ..engine.incus import handover, safekeeping
from ..engine.incus.guests import Found
from . import cib

_PREFIX = "server-"
"""No server's name is ever taken for one of Pacemaker's options."""
_WHERE = f"//crm_config/cluster_property_set[@id='{RECORD}']"


@dataclass(frozen=True, slots=True)
class Claim:
    """Where the newest copy of a server is."""

    node: str
    generation: int


def read() -> dict[str, Claim]:
    """Server -> claim. Raises EngineError where the cluster cannot be asked."""
    return parsed(cib.query("read the record of promotions", "--xpath", _WHERE))


def write(claims: Mapping[str, Claim]) -> None:
    """Add to it, all at once. Raises EngineError where that is not certain."""
    if claims:
        cib.add("record promotions", "crm_config", written(claims))


def parsed(text: str) -> dict[str, Claim]:
    """The claims in what cibadmin prints; none, where it prints nothing. Raises EngineError for anything else: whoever
    takes that for no claims might start an older copy."""
    if not text.strip():
        return {}
    try:
        return _claims(fromstring(text))  # noqa: S314 - this node's own cluster
    except ParseError as error:
        raise cib.trouble("read the record of promotions", f"not the XML it should be: {error}") from None


def held(configuration: Element) -> dict[str, Claim]:
    """The claims in Pacemaker's configuration, or anything above it. Pure."""
    for each in configuration.iter("cluster_property_set"):
        if each.get("id") == RECORD:
            return _claims(each)
    return {}


def _claims(property_set: Element) -> dict[str, Claim]:
    """Spoiled ones are left out."""
    found = {}
    for name, value in nvpairs.read(property_set).items():
        words = value.split()
        if name.startswith(_PREFIX) and len(words) == 2 and words[1].isdecimal():
            found[name.removeprefix(_PREFIX)] = Claim(words[0], int(words[1]))
    return found


def lacking(here: str, found: Mapping[str, Found], claims: Mapping[str, Claim]) -> dict[str, Claim]:
    """What the record does not know yet of the servers on a node: who was promoted there by hand, or came from another
    node after it had been. Pure."""
    told = {}
    for name, copy in found.items():
        known = claims[name].generation if name in claims else safekeeping.LEAP - 1
        if not copy.replica and not handover.other_node(copy.config) and copy.generation > known:
            told[name] = Claim(here, copy.generation)
    return told


def newer(name: str, claim: Claim) -> str:
    """Why a copy of a server is not started while the claim stands, and what to do about that."""
    return (
        f"a newer copy of it was promoted on {claim.node} (generation {claim.generation}): bring {claim.node} back, or "
        "whoever has that copy now; only if it is lost for good, have the cluster forget it: cibadmin --delete --xpath "
        f"\"//nvpair[@name='{_PREFIX}{name}']\""
    )


def written(claims: Mapping[str, Claim]) -> str:
    """What cibadmin is to add."""
    made = Element("crm_config")
    said = {f"{_PREFIX}{name}": f"{claim.node} {claim.generation}" for name, claim in claims.items()}
    nvpairs.add(made, "cluster_property_set", RECORD, said)
    return tostring(made, encoding="unicode")
