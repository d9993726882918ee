# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a node fit to become one of the fleet's? Facts and needs in, a list of what is wrong out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .facts import ALL_IDS, NESTED_START, NodeFacts, fingerprint

SUPPORTED = {("debian", "12"): "Debian 12", ("debian", "13"): "Debian 13", ("ubuntu", "24.04"): "Ubuntu 24.04"}
COMMANDS = frozenset({"ip", "ss", "apt-get", "systemctl"})
SERVER_IDS = 65536
"""User ids one server takes."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What is asked of a node. Memory and disk are MiB."""

    address: str
    port: int
    cores: int
    memory: int
    disk: int
    bridge: str
    drivers: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    known_certificate: str = ""
    accept_certificate: bool = False


@dataclass(frozen=True, slots=True)
class Unfit:
    """One thing that is wrong: what was looked at, what was found, what is needed."""

    check: str
    found: str
    needed: str


def judge(facts: NodeFacts, needs: Needs) -> list[Unfit]:
    """Everything that is wrong with the node, in the order an operator would look."""
    return [
        *_machine(facts, needs),
        *_system(facts),
        *_network(facts, needs),
        *_storage(facts, needs),
        *_certificate(facts, needs),
    ]


def judge_machine(facts: NodeFacts, cores: int, memory: int) -> Iterator[Unfit]:
    """The hardware; memory in MiB."""
    if facts.architecture not in ("x86_64", "amd64"):
        yield Unfit("architecture", facts.architecture or "unknown", "x86_64")
    if facts.cores < cores:
        yield Unfit("cores", str(facts.cores), f"{cores} or more")
    if facts.memory < memory:
        yield Unfit("memory", f"{facts.memory} MiB", f"{memory} MiB or more")


def judge_name(facts: NodeFacts, address: str) -> Iterator[Unfit]:
    """The management address, and that the host name stands for it and for nothing else."""
    if not facts.device:
        yield Unfit("address", f"{address} is on no device", "node_address on this node")
    loopback = any(each.startswith("127.") or each == "::1" for each in facts.hostname_addresses)
    if loopback or address not in facts.hostname_addresses:
        found = ", ".join(facts.hostname_addresses) or "nothing"
        yield Unfit("name", f"{facts.hostname} resolves to {found}", f"{address} only (see /etc/hosts)")


def _machine(facts: NodeFacts, needs: Needs) -> Iterator[Unfit]:
    yield from judge_machine(facts, needs.cores, needs.memory)
    if facts.ids < NESTED_START + SERVER_IDS:
        yield Unfit(
            "user ids",
            f"{facts.ids}",
            f"{NESTED_START + SERVER_IDS} or more, for the servers nested in this container",
        )


def _system(facts: NodeFacts) -> Iterator[Unfit]:
    if not facts.root:
        yield Unfit("root", "an ordinary user", "root, or become: true with sudo")
    if (facts.distribution, facts.version) not in SUPPORTED:
        found = " ".join(filter(None, (facts.distribution, facts.version))) or "unknown"
        yield Unfit("distribution", found, ", ".join(SUPPORTED.values()))
    for missing in sorted(COMMANDS - facts.commands):
        yield Unfit("command", f"no {missing}", "iproute2, apt and systemd installed")
    if (facts.distribution, facts.version) == ("debian", "12") and not facts.backports_offered and facts.mirror is None:
        yield Unfit("apt sources", "no mirror of bookworm", "a source that offers bookworm main")


def _network(facts: NodeFacts, needs: Needs) -> Iterator[Unfit]:
    yield from judge_name(facts, needs.address)
    for listener in facts.listeners:
        yield Unfit("port", f"{needs.port}/tcp is taken by {listener}", "a port free for incusd")
    bridge = facts.bridge
    if not bridge.exists:
        yield Unfit("bridge", f"no {bridge.name}", f"{bridge.name} with {needs.address} (see the node role's README)")
    elif not bridge.up:
        yield Unfit("bridge", f"{bridge.name} is down", f"up: ifup {bridge.name}")
    elif facts.device and needs.address not in bridge.addresses:
        yield Unfit("bridge", f"{needs.address} is on {facts.device}", f"{needs.address} on {bridge.name}")


def _storage(facts: NodeFacts, needs: Needs) -> Iterator[Unfit]:
    # A node that carries servers may be as full as it likes: the planner sees to that.
    if facts.disk_free < needs.disk and not set(needs.pools) <= set(facts.pools):
        yield Unfit("disk", f"{facts.disk_free} MiB free for {facts.storage_path}", f"{needs.disk} MiB or more")
    for source in facts.missing_sources:
        yield Unfit("storage", f"no {source}", "the source of a storage pool")
    if "zfs" in needs.drivers and "zfs" not in facts.commands:
        yield Unfit("storage", "no zfs", "zfsutils-linux and its kernel module installed")


def _certificate(facts: NodeFacts, needs: Needs) -> Iterator[Unfit]:
    known, found = fingerprint(needs.known_certificate), fingerprint(facts.certificate)
    if known and known != found and not needs.accept_certificate:
        yield Unfit(
            "certificate",
            f"sha256 {found}" if found else "none: no engine installed",
            f"sha256 {known} as before; node_accept_certificate: true if the node was installed anew",
        )


def nested_range(ids: int) -> str:
    """``root:first:count`` for /etc/subuid: the largest round number of ids that exists here.

    Empty on a machine that has all ids, where the packages' own choice is right.
    """
    if ids >= ALL_IDS:
        return ""
    count = 1000000000
    while NESTED_START + count > ids and count > 1:
        count //= 10
    return f"root:{NESTED_START}:{max(count, SERVER_IDS)}"
