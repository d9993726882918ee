# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the platform and the network what is, and give every server its address."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from .engine.base import Engine
from .fleet.addresses import allocate
from .fleet.census import take_census
from .fleet.model import Fleet, Observed
from .probe import answering

_ROUNDS = 5
"""Times an address that turned out to be in use is replaced by another."""


class Surveyor:
    """Looks at one fleet, as often as a run needs to. An address nobody answered on is not tried again."""

    def __init__(self, fleet: Fleet, engine: Engine) -> None:
        self._fleet = fleet
        self._engine = engine
        self._answers: dict[str, str] = {}
        self._silent: set[str] = set()
        self._deceptive: dict[str, bool] = {}
        """Network (CIDR) -> whether somebody between here and there answers for all of its addresses."""

    def __call__(self, measure: bool = False) -> tuple[Fleet, Observed]:
        """The fleet with an address on every interface, and what is there now; with ``measure`` what it really takes.

        Addresses of servers that do not exist yet are tried on the network first. One that was declared and
        answers is left for the planner to refuse; one that was allocated and answers is replaced. Where an address
        answers that no machine can have, a firewall or a proxy answers for the whole network: there, an answer proves
        nothing.
        Raises InventoryError where a network has no address left, EngineError as ``Engine.observe`` does.
        """
        return self.settle(self._fleet, self._engine.observe(measure))

    def settle(self, fleet: Fleet, observed: Observed, only: Collection[str] | None = None) -> tuple[Fleet, Observed]:
        """The same of what was observed already, for this fleet, which may declare other servers than ours; with
        ``only``, no addresses but theirs are tried."""
        existing = take_census(fleet, observed).primaries
        self._answers = {address: how for address, how in self._answers.items() if not _known(address, observed)}
        for _round in range(_ROUNDS):
            observed = replace(observed, answering={**observed.answering, **self._answers})
            resolved = allocate(fleet, observed)
            wanted = {
                leg.address
                for server in resolved.servers.values()
                if server.name not in existing and (only is None or server.name in only)
                for leg in server.interfaces
            }
            untried = wanted - self._silent - set(self._answers)
            if not untried:
                break
            found = self._ask(untried)
            self._answers.update(found)
            self._silent |= untried - set(found)
        else:
            # Everything allocated is in use: a router that answers for the whole network, say. The planner refuses.
            doubt = f"as every address tried before, {_ROUNDS} times"
            observed = replace(observed, answering={**observed.answering, **dict.fromkeys(untried, doubt)})
        return resolved, observed

    def _ask(self, addresses: Iterable[str]) -> Mapping[str, str]:
        """Who answers and is to be believed."""
        nobodys = {cidr: address for cidr in self._unproven() if (address := _nobodys(cidr))}
        found = answering({*addresses, *nobodys.values()})
        self._deceptive |= {cidr: address in found for cidr, address in nobodys.items()}
        doubtful = [ipaddress.ip_network(cidr) for cidr, deceptive in self._deceptive.items() if deceptive]
        return {
            address: how
            for address, how in found.items()
            if not any(ipaddress.ip_address(address) in network for network in doubtful)
        }

    def _unproven(self) -> set[str]:
        """Ranges of networks of which it is not known yet whether answers from there can be believed."""
        return {network.cidr for network in self._fleet.networks.values()} - set(self._deceptive)


def _nobodys(cidr: str) -> str:
    """An address of a network that no machine can have: its own. Empty: there is none."""
    network = ipaddress.ip_network(cidr)
    # IPv6 routers do answer on it, and in the smallest networks it is a machine's.
    return str(network.network_address) if network.version == 4 and network.prefixlen < 31 else ""


def _known(address: str, observed: Observed) -> bool:
    """Whether a guest that is known here has the address."""
    return any(address in guest.addresses for guest in observed.servers)
