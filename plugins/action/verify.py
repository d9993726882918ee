# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.verify``: does every server serve; see the module of that name for its options."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.census import take_census
from ..module_utils.fleet.drilled import copies_running
from ..module_utils.fleet.explain import table
from ..module_utils.fleet.model import Fleet, Observed, ObservedServer, Server
from ..module_utils.readiness import ask, describe
from ..plugin_utils.fleet_action import FleetAction

_OPTIONS = {
    "ignore": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 0.0},
}
_SIDE_BY_SIDE = 64
_PAUSE = 2.0
"""Seconds between two looks at servers that do not serve yet."""


@dataclass(frozen=True)
class _Verdict:
    """One server's answers."""

    server: str
    node: str
    address: str
    words: str
    good: bool


class ActionModule(FleetAction):
    """Look and ask; nothing is changed on any node."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        ignored = frozenset(self.inventory(task_vars).servers(options["ignore"], "ignore"))
        fleet = self.fleet(task_vars)
        asked = [server for server in _declared(fleet) if server.name not in ignored]
        until = time.monotonic() + options["timeout"]
        with self.engine(fleet, task_vars) as engine:
            while True:
                verdicts = _verdicts(fleet, engine.observe(), asked)
                if all(verdict.good for verdict in verdicts) or time.monotonic() >= until:
                    break
                time.sleep(_PAUSE)
        rows = [(v.server, v.node, v.address, v.words) for v in verdicts]
        bad = [verdict for verdict in verdicts if not verdict.good]
        self.say("\n".join(table(("server", "node", "address", "answers"), rows)))
        result: dict[str, Any] = {
            "changed": False,
            "servers": {
                v.server: {"node": v.node, "address": v.address, "good": v.good, "answer": v.words} for v in verdicts
            },
        }
        if bad:
            lines = [f"{verdict.server} ({verdict.node or 'nowhere'}): {verdict.words}" for verdict in bad]
            raise AnsibleActionFail(
                "\n".join([f"{len(bad)} of {len(verdicts)} servers do not serve:", *lines]), result=result
            )
        return result


def _verdicts(fleet: Fleet, observed: Observed, asked: Sequence[Server]) -> list[_Verdict]:
    """Everybody's answers, as of now."""
    guests = take_census(fleet, observed).primaries
    places = copies_running(fleet, observed)

    def judged(server: Server) -> _Verdict:
        return _verdict(server, guests.get(server.name), places.get(server.name, ()))

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return list(pool.map(judged, asked))


def _declared(fleet: Fleet) -> list[Server]:
    return [server for server in fleet.servers.values() if server.state == "running"]


def _verdict(server: Server, guest: ObservedServer | None, running: Sequence[str]) -> _Verdict:
    if len(running) > 1:
        return _Verdict(server.name, ", ".join(running), "", "runs more than once", good=False)
    if guest is None:
        return _Verdict(server.name, "", "", "does not exist", good=False)
    address = guest.interfaces[0].address if guest.interfaces else ""
    if guest.state != "running":
        return _Verdict(server.name, guest.node, address, guest.state, good=False)
    words = []
    good = True
    for check in server.checks:
        began = time.monotonic()
        answer = ask(check, address)
        good = good and not answer
        words.append(f"{describe(check, address)} {answer or f'{(time.monotonic() - began) * 1000:.0f} ms'}")
    return _Verdict(server.name, guest.node, address, ", ".join(words) or "running; declares no checks", good)
