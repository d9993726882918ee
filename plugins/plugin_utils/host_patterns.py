# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and nodes named the way Ansible's users name hosts: one by one, by group, ``pbx*``, ``pbxs:!pbx03``."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.inventory.manager import InventoryManager, split_host_pattern

_MEANS_MORE = set("*?[]~")
"""What makes a pattern more than a name."""


class Inventory:
    """The groups of a play's inventory."""

    def __init__(self, loader: Any, groups: Mapping[str, Sequence[str]]) -> None:
        self._groups = groups
        self._manager = InventoryManager(loader=loader, parse=False)
        for group, hosts in groups.items():
            self._manager.add_group(group)
            for host in hosts:
                self._manager.add_host(host, group)

    def servers(self, patterns: Iterable[str], option: str) -> tuple[str, ...]:
        """The virtual servers meant. Raises AnsibleActionFail for a pattern that means none."""
        return self._meant(patterns, option, self._groups.get("virtual_servers", ()), "virtual server")

    def nodes(self, patterns: Iterable[str], option: str) -> tuple[str, ...]:
        """The nodes meant. Raises AnsibleActionFail for a pattern that means none."""
        return self._meant(patterns, option, self._groups.get("nodes", ()), "node")

    def _meant(self, patterns: Iterable[str], option: str, among: Collection[str], what: str) -> tuple[str, ...]:
        """In the inventory's order. A plain name nobody bears is left in: the goal knows which one was meant."""
        terms = [term for pattern in patterns for term in split_host_pattern(str(pattern)) if term]
        unknown = [term for term in terms if self._plain(term) and term not in self._groups and term not in among]
        known = [term for term in terms if term not in unknown]
        for term in (term.lstrip("!&") for term in known):
            # Ansible warns of a pattern it knows nothing for: that would say the same a second time.
            if not self._matches(term) or not self._hosts([term], among):
                raise AnsibleActionFail(f"{option}: no {what} matches {term}")
        return (*self._hosts(known, among), *dict.fromkeys(unknown))

    def _matches(self, term: str) -> bool:
        """Whether a pattern means any host or group at all; a subscript behind it (``pbxs[0:3]``) set aside."""
        everybody = {"all", *self._groups, *(host for hosts in self._groups.values() for host in hosts)}
        if term.startswith("~"):
            return any(re.match(term[1:], name) for name in everybody)
        base = re.sub(r"\[(-?[0-9]+|[0-9]+[:-][0-9]*)\]$", "", term)
        return any(fnmatch.fnmatchcase(name, base) for name in everybody)

    def _plain(self, term: str) -> bool:
        return not (_MEANS_MORE & set(term) or term[0] in "!&")

    def _hosts(self, terms: list[str], among: Collection[str]) -> tuple[str, ...]:
        if not terms:
            return ()
        wanted = frozenset(among)
        return tuple(str(host) for host in self._manager.list_hosts(terms) if str(host) in wanted)
