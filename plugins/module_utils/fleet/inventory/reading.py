# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of every host, read: normalised values, and what is doubtful because it was wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .kinds import WRONG
from .mistakes import Known, Mistake, Notes, Unreadable
from .scalars import DNS_NAME
from .vocabulary import PREFIXES, VARIABLES, Holder

INSTANCE_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
FLEET: Final = ""
"""Key and host name of what belongs to the whole fleet."""
_VARIABLES: Final = Known(VARIABLES)
_POOLS: Final = {"incus": "default", "proxmox": "local-zfs"}
"""Where root disks are by themselves: what the node role makes, and what Proxmox VE's installer does on ZFS, the one
kind of storage it replicates."""


class Values:
    """What one host says. Reading a variable it does not declare gives the variable's default."""

    __slots__ = ("address_variable", "host", "said", "wrong")

    def __init__(self, host: str) -> None:
        self.host = host
        self.address_variable = "node_address"
        """The variable a node's address was written in."""
        self.said: dict[str, Any] = {}
        self.wrong: set[str] = set()
        """Variables whose value was not accepted: nothing may be concluded from their absence."""

    def __getitem__(self, variable: str) -> Any:
        return self.said[variable] if variable in self.said else VARIABLES[variable].default

    def __contains__(self, variable: str) -> bool:
        return variable in self.said

    def doubt(self, variable: str) -> None:
        """Take back what a variable said, once it turns out to be wrong in some other way."""
        self.said.pop(variable, None)
        self.wrong.add(variable)


@dataclass
class Draft:
    """An inventory whose values are right one by one; whether they fit together is still to be asked."""

    fleet: Values
    nodes: dict[str, Values]
    servers: dict[str, Values]
    groups: Mapping[str, Sequence[str]]
    mistakes: list[Mistake]
    _members: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def default_pool(self) -> str:
        """The storage pool of root disks that nobody named one for."""
        return str(self.fleet["fleet_pool"] or _POOLS.get(self.fleet["fleet_engine"], "default"))

    def members(self, name: str) -> frozenset[str]:
        """The servers a name stands for: itself, or those of the group it is."""
        if name not in self._members:
            found = {name} if name in self.servers else {m for m in self.groups.get(name, ()) if m in self.servers}
            self._members[name] = frozenset(found)
        return self._members[name]

    def notes(self, values: Values) -> Notes:
        """Where the mistakes of a host are written down."""
        return Notes(values.host, self.mistakes)

    def reject(self, values: Values, variable: str, value: Any, problem: str, accepted: str = "") -> None:
        """Note a value that is right by itself and wrong among the others."""
        Notes(values.host, self.mistakes, secret=VARIABLES[variable].secret).wrong(variable, value, problem, accepted)
        values.doubt(variable)


def read(hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]) -> Draft:
    """Read every variable of the fleet, of its nodes and of its servers; mistakes are in the draft."""
    mistakes: list[Mistake] = []
    node_names = list(dict.fromkeys(groups.get("nodes", ())))
    server_names = list(dict.fromkeys(groups.get("virtual_servers", ())))
    both = set(node_names) & set(server_names)
    for host in both:
        problem = "in group nodes and in group virtual_servers"
        mistakes.append(Mistake(host, "", "", problem, "one of them: a node carries, a server is carried"))
    server_names = [host for host in server_names if host not in both]

    source = next((host for host in (FLEET, *node_names, *server_names) if host in hosts), FLEET)
    fleet_variables = hosts.get(source, {})
    draft = Draft(_read_host(FLEET, "fleet", fleet_variables, mistakes, fleet_variables), {}, {}, groups, mistakes)
    for names, scope, into in ((node_names, "node", draft.nodes), (server_names, "server", draft.servers)):
        for host in names:
            into[host] = _read_host(host, scope, hosts.get(host, {}), mistakes, fleet_variables)  # type: ignore[arg-type]
    _check_names(draft)
    return draft


def _read_host(
    host: str,
    scope: Holder,
    variables: Mapping[str, Any],
    mistakes: list[Mistake],
    fleet_variables: Mapping[str, Any],
) -> Values:
    """Read the variables of one scope. Known ones of other scopes are somebody else's, inherited from ``all``."""
    values = Values(host)
    open_notes, secret_notes = Notes(host, mistakes), Notes(host, mistakes, secret=True)
    for name, value in variables.items():
        if not isinstance(name, str) or not name.startswith(PREFIXES):
            continue
        variable = VARIABLES.get(name)
        if variable is None:
            # Reported once where all inherit it. Its value is not shown: who knows what it was meant to be.
            if scope == "fleet" or name not in fleet_variables:
                open_notes.missing(str(name), "unknown variable", _VARIABLES.nearest(name))
        elif variable.scope == scope:
            read_value = variable.kind.read(value, str(name), secret_notes if variable.secret else open_notes)
            if read_value is WRONG:
                values.wrong.add(variable.name)
            else:
                values.said[variable.name] = read_value
        elif variable.scope == "fleet" and not _same(value, fleet_variables.get(name)):
            open_notes.missing(name, "differs from the rest of the fleet", "one value for all, in group_vars/all")
    if scope == "node" and "node_address" not in variables and "ansible_host" in variables:
        values.address_variable = "ansible_host"
        address = VARIABLES["node_address"].kind.read(variables["ansible_host"], "ansible_host", open_notes)
        if address is WRONG:
            values.wrong.add("node_address")
        else:
            values.said["node_address"] = address
    return values


def _same(value: Any, fleet_value: Any) -> bool:
    """Whether a host sees the fleet's own value; what cannot be read is the fleet's mistake, told there."""
    try:
        return isinstance(value, Unreadable) or value is fleet_value or bool(value == fleet_value)
    except RecursionError:
        return True


def _check_names(draft: Draft) -> None:
    """Names become instance names, DNS names and file names: they have to be good for all of these."""
    for host, values in draft.nodes.items():
        if not DNS_NAME.fullmatch(host):
            accepted = "a DNS name: labels of 1 to 63 letters, digits and dashes, joined by dots"
            draft.notes(values).missing("", "not a name for a node", accepted)
    seen: dict[str, str] = {}
    for host, values in draft.servers.items():
        if not INSTANCE_NAME.fullmatch(host):
            accepted = "1 to 63 letters, digits and dashes; a letter first, no dash last"
            draft.notes(values).missing("", "not a name for a virtual server", accepted)
        elif (other := seen.setdefault(host.lower(), host)) != host:
            draft.notes(values).missing("", f"differs from {other} only in case, and DNS knows no case", "another name")
