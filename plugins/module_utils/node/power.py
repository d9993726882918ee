# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another node's power, cut or restored from this one: by the cluster, where one runs here, or by its fence agent.

A node counts as off when whoever cut its power says that it looked, and saw it off; an exit status that only says that
the command was taken is not enough. The commands are given, so that this decides and somebody else runs them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..cluster.fencing import OWN, WATCHDOG, metadata

IS_ON, IS_OFF = 0, 2
"""What fence agents exit with when they are asked for a node's status."""
_PAUSE = 1.0
_CLUSTER_PATIENCE = 60
"""Seconds the cluster may take for one fencing."""

Answer = tuple[int, str]
"""Exit status, and what was said."""
Run = Callable[[list[str], str], "Answer | None"]
"""Runs a command with a text on its standard input; None: there is no such command here."""


class PowerError(Exception):
    """It could not be done; the message says what was tried, and what came back."""


@dataclass(slots=True)
class Power:
    """One node's power."""

    run: Run
    node: str
    agent: str = ""
    """Empty: only the cluster knows a way."""
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: float = 60.0
    """Seconds a node may take to go off, or on, once that was asked."""
    pause: float = _PAUSE

    def off(self) -> tuple[str, bool]:
        """Cut it. Who saw it off, and whether it was on before. Raises PowerError unless it was seen off."""
        if self._has_agent() and self._status() == IS_OFF:
            self._tell_cluster()
            return self.agent, False
        refused = ""
        if self._in_cluster():
            # Pacemaker is to know: it starts servers by itself once a node is fenced.
            command = ["stonith_admin", "--fence", self.node, "--timeout", str(_CLUSTER_PATIENCE)]
            status, words = self.run(command, "") or (1, "not installed")
            if status == 0 and self._seen_off():
                return "the cluster", True
            refused = f"the cluster could not fence it: {_last(words) or f'exit status {status}'}; "
            if status == 0:
                refused = "the cluster says that it fenced it, and it is not off; "
        if not self._has_agent():
            raise PowerError(refused + self._no_way())
        try:
            self._turn("off", IS_OFF)
        except PowerError as error:
            raise PowerError(f"{refused}{error}") from None
        self._tell_cluster()
        return self.agent, True

    def on(self) -> bool:
        """Restore it; whether it was off. Raises PowerError."""
        if not self._has_agent():
            raise PowerError(self._no_way())
        if self._status() == IS_ON:
            return False
        self._turn("on", IS_ON)
        return True

    def confirm(self) -> bool:
        """Tell the cluster that a person has seen the node off; whether there is a cluster to be told."""
        return self._tell_cluster()

    # ---- inside

    def _in_cluster(self) -> bool:
        answer = self.run(["crm_mon", "--one-shot", "--output-as", "none"], "")
        return answer is not None and answer[0] == 0

    def _tell_cluster(self) -> bool:
        """Whatever it waits for, it goes on from there."""
        if not self._in_cluster():
            return False
        status, words = self.run(["stonith_admin", "--confirm", self.node], "") or (1, "not installed")
        if status:
            raise PowerError(f"the cluster could not be told that it is off: {_last(words) or f'exit status {status}'}")
        return True

    def _has_agent(self) -> bool:
        return bool(self.agent) and self.agent != WATCHDOG

    def _no_way(self) -> str:
        if self.agent == WATCHDOG:
            return "its watchdog resets it where a cluster runs, and none runs here"
        return "the inventory has no way to cut its power (node_fence)"

    def _seen_off(self) -> bool:
        """Whether it is off, as far as there is a way to see that: the cluster believes whoever said that it is, a
        person for one. It may have been told only to reset itself, or may be on again by now."""
        if not self._has_agent():
            return True
        until = time.monotonic() + self.patience
        while self._status() != IS_OFF:
            if time.monotonic() >= until:
                return False
            time.sleep(self.pause)
        return True

    def _turn(self, action: str, wanted: int) -> None:
        status, words = self._ask(action)
        until = time.monotonic() + self.patience
        while True:
            now = self._status()
            if now == wanted:
                return
            if time.monotonic() >= until:
                seen = {IS_ON: "it is still on", IS_OFF: "it is still off"}.get(now, "its state cannot be seen")
                said = _last(words) or (f"exit status {status}" if status else "no complaint")
                raise PowerError(f"{self.agent} was asked to turn it {action} ({said}), and {seen}")
            time.sleep(self.pause)

    def _status(self) -> int:
        return self._ask("status")[0]

    def _ask(self, action: str) -> Answer:
        """The agent's answer; parameters go to its standard input, where nobody else reads them."""
        given = {name: value for name, value in self.parameters.items() if not name.startswith(OWN)}
        if not {"plug", "port"} & given.keys():
            # As Pacemaker does: which plug is the node's, by its name.
            known = metadata((self.run([self.agent, "-o", "metadata"], "") or (1, ""))[1])
            named = [name for name in ("plug", "port") if known is not None and name in known.parameters]
            given |= dict.fromkeys(named[:1], self.node)
        lines = {**given, "action": action}
        answer = self.run([self.agent], "".join(f"{name}={value}\n" for name, value in lines.items()))
        if answer is None:
            raise PowerError(f"{self.agent} is not installed here; Debian has it in fence-agents")
        return answer


def _last(words: str) -> str:
    """The last line that says something: agents tell the reason there."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else ""
