# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corosync's configuration: who is a member, over which links they hear each other, how soon silence is death. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

HEADER = "# Written by Switchyard, from the inventory."

_FIXED = frozenset({"totem.version", "totem.cluster_name", "totem.transport", "system.allow_knet_handle_fallback"})
"""What Corosync reads at its start only. All the rest is taken up by members that run (``corosync-cfgtool -R``)."""
_SHIPPED = "127.0.0.1"
"""The only member in the file that comes with Debian's package, which is nobody's cluster."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the cluster. ``links``: its address on each link, the first link first."""

    name: str
    number: int
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """A vote outside the cluster: a host with corosync-qnetd that all members ask."""

    address: str
    port: int = 5403
    tls: bool = True


@dataclass(frozen=True, slots=True)
class Ring:
    """How the members listen for each other. Milliseconds.

    A node is dead once it was silent for the token, and the others have agreed on that, which takes ``consensus``.
    Corosync adds ``token_coefficient`` to the token for each node beyond two; by its own 650, 32 nodes would wait for
    20 s more.
    """

    token: int = 2000
    token_coefficient: int = 100
    consensus: int = 0
    """0: Corosync's own, 1.2 times the token."""
    wait_for_all: bool = False


def text(name: str, members: Iterable[Member], ring: Ring, device: Device | None = None) -> str:
    """corosync.conf, the same on every node."""
    totem = {
        "version": "2",
        "cluster_name": name,
        "transport": "knet",
        "link_mode": "passive",
        "crypto_cipher": "aes256",
        "crypto_hash": "sha256",
        "token": str(ring.token),
        "token_coefficient": str(ring.token_coefficient),
    }
    if ring.consensus:
        totem["consensus"] = str(ring.consensus)
    quorum = {"provider": "corosync_votequorum", "wait_for_all": "1" if ring.wait_for_all else "0"}
    # A container has no right to the memory Corosync asks for; where it has, the fallback is not used.
    system = {"allow_knet_handle_fallback": "yes"}
    logging = {"to_logfile": "no", "to_stderr": "no", "to_syslog": "yes"}
    nodes = "".join(_indented(_member(each)) for each in sorted(members, key=lambda member: member.number))
    sections = (
        _section("totem", totem),
        f"nodelist {{\n{nodes}}}\n",
        _section("quorum", quorum, _device(device) if device else ""),
        _section("system", system),
        _section("logging", logging),
    )
    return f"{HEADER}\n" + "\n".join(sections)


def numbered(names: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """A number for each node: the one it has, or else the lowest that is nobody's.

    A number that a node had must not be another's while the cluster runs, so ``known`` are those of all files there
    are, of nodes that left as well.
    """
    numbers = {name: known[name] for name in names if name in known}
    taken = set(known.values())
    for name in names:
        if name not in numbers:
            numbers[name] = next(each for each in range(1, len(names) + len(taken) + 1) if each not in taken)
            taken.add(numbers[name])
    return numbers


def numbers(configuration: str) -> dict[str, int]:
    """Node -> number, as a corosync.conf has them."""
    return {
        said["name"]: int(said["nodeid"])
        for said in _members(configuration)
        if "name" in said and said.get("nodeid", "").isdecimal()
    }


def heard(table: str) -> list[str]:
    """Names of the members that are there, of what ``corosync-cmapctl`` prints."""
    values = dict(re.findall(r"^(\S+) \(\w+\) = (.*)$", table, re.MULTILINE))
    joined = {key.split(".")[2] for key, value in values.items() if key.endswith(".status") and value == "joined"}
    named = {
        value: values.get(f"{key.removesuffix('.nodeid')}.name", "")
        for key, value in values.items()
        if re.fullmatch(r"nodelist\.node\.\d+\.nodeid", key)
    }
    return sorted(name for number, name in named.items() if number in joined and name)


def foreign(configuration: str) -> bool:
    """Whether a corosync.conf is of a cluster that is not ours."""
    if configuration.startswith(HEADER):
        return False
    addresses = {value for said in _members(configuration) for key, value in said.items() if key.startswith("ring")}
    return bool(addresses - {_SHIPPED})


def cluster_name(configuration: str) -> str:
    """The fleet whose cluster a corosync.conf of ours is of; empty: it is not ours, or there is none."""
    return _fixed(configuration).get("totem.cluster_name", "") if configuration.startswith(HEADER) else ""


def needs_restart(before: str, after: str) -> bool:
    """Whether a change is one that running members cannot take up."""
    return _fixed(before) != _fixed(after)


def device_differs(before: str, after: str) -> bool:
    """Whether members are to ask another quorum device, or ask it otherwise."""
    one, other = (
        {key: value for key, value in _said(each).items() if key.startswith("quorum.device.")}
        for each in (before, after)
    )
    return one != other


def _fixed(configuration: str) -> dict[str, str]:
    return {key: value for key, value in _said(configuration).items() if key in _FIXED}


def _said(configuration: str) -> dict[str, str]:
    """Every value under the names of its sections; of several members, the last one's."""
    found, sections = {}, list[str]()
    for raw in configuration.splitlines():
        line = raw.partition("#")[0].strip()
        if line.endswith("{"):
            sections.append(line[:-1].strip())
        elif line == "}":
            sections.pop()
        elif ":" in line:
            key, _colon, value = line.partition(":")
            found[".".join((*sections, key.strip()))] = value.strip()
    return found


def _members(configuration: str) -> list[dict[str, str]]:
    blocks = re.findall(r"^\s*node\s*{([^}]*)}", configuration, re.MULTILINE)
    return [dict(re.findall(r"^\s*(\w+)\s*:\s*(\S+)\s*$", block, re.MULTILINE)) for block in blocks]


def _member(member: Member) -> str:
    links = {f"ring{index}_addr": address for index, address in enumerate(member.links)}
    return _section("node", {"name": member.name, "nodeid": str(member.number), **links})


def _device(device: Device) -> str:
    # One vote to the larger half, of two equal ones to the one that is active: made for an even number of members.
    net = {
        "host": device.address,
        "port": str(device.port),
        "algorithm": "ffsplit",
        # Never without, if it is to be with: "on" would fall back.
        "tls": "required" if device.tls else "off",
    }
    return _section("device", {"model": "net", "votes": "1"}, _section("net", net))


def _section(name: str, values: Mapping[str, str], inner: str = "") -> str:
    said = "".join(f"    {key}: {value}\n" for key, value in values.items())
    return f"{name} {{\n{said}{_indented(inner)}}}\n"


def _indented(block: str) -> str:
    return "".join(f"    {line}\n" for line in block.splitlines())
