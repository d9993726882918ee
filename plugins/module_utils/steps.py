# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of step asks of the engine."""

from __future__ import annotations

from threading import Event

from .apply import Do, Tell
from .engine.base import Engine
from .fleet.model import Arrangement, Fleet, Server, Size, Step
from .readiness import wait_until_ready


class CalledOff(Exception):
    """A step that was going to touch a server left it alone, because the run is to stop."""


def doer(fleet: Fleet, engine: Engine, stop: Event) -> Do:
    """The function that does one step of a plan for this fleet."""

    def template(step: Step, tell: Tell) -> None:
        engine.provide_template(fleet.templates[step.template], step.node, step.source, tell)

    def create(step: Step, tell: Tell) -> None:
        engine.create(fleet.servers[step.server], step.node, tell)

    def copy(step: Step, tell: Tell) -> None:
        engine.copy(step.servers[0], step.source, fleet.servers[step.server], step.node, tell)

    def bring_in(step: Step, tell: Tell) -> None:
        engine.import_server(step.changes["imported from"][1], fleet.servers[step.server], step.node, tell)

    def configure(step: Step, tell: Tell) -> None:
        later(engine.configure(fleet.servers[step.server], step.node), tell)

    def resize(step: Step, tell: Tell) -> None:
        later(engine.resize(fleet.servers[step.server], step.node), tell)

    def later(waiting: tuple[str, ...] | None, tell: Tell) -> None:
        if waiting:
            tell(f"takes effect at its next start: {', '.join(waiting)}")

    def start(step: Step, tell: Tell) -> None:
        engine.start(step.server, step.node)
        tell.node_is_free()
        wait_until_ready(fleet.servers[step.server], stop.is_set)

    def restart(step: Step, tell: Tell) -> None:
        engine.restart(step.server, step.node)
        tell.node_is_free()
        wait_until_ready(fleet.servers[step.server], stop.is_set)

    def stop_server(step: Step, _tell: Tell) -> None:
        engine.stop(step.server, step.node)

    def delete(step: Step, _tell: Tell) -> None:
        engine.delete(step.server, step.node)

    def move(step: Step, tell: Tell) -> float:
        # One that left the inventory moves like any other: somebody may be on the telephone.
        server = fleet.servers.get(step.server) or Server(step.server, Size(0, 0, 0), "")

        def leaving() -> None:
            if stop.is_set():
                raise CalledOff(f"{step.server} was not moved: the run was stopped while it was copied")
            tell.must_end()

        def arrived() -> None:
            tell.node_is_free()
            wait_until_ready(server, stop.is_set)

        manner = step.manner or "copy"
        return engine.move(server, step.source, step.node, manner, tell, leaving=leaving, arrived=arrived)

    def maintenance(step: Step, _tell: Tell) -> None:
        engine.set_maintenance(step.node, step.changes["state"][1] == "maintenance")

    by_action: dict[str, Do] = {
        "template": template,
        "create": create,
        "copy": copy,
        "import": bring_in,
        "configure": configure,
        "resize": resize,
        "start": start,
        "restart": restart,
        "stop": stop_server,
        "delete": delete,
        "move": move,
        "maintenance": maintenance,
        **_safeguards(fleet, engine),
    }
    return lambda step, tell: by_action[step.action](step, tell)


def _safeguards(fleet: Fleet, engine: Engine) -> dict[str, Do]:
    """Replicas, and what the platform does by itself."""

    def replicate(step: Step, tell: Tell) -> None:
        if engine.queues_copies:
            tell.node_is_free()
        engine.replicate(fleet.servers[step.server], step.source, step.node, tell)

    def promote(step: Step, _tell: Tell) -> None:
        engine.promote(fleet.servers[step.server], step.node, step.lost)

    def unreplicate(step: Step, _tell: Tell) -> None:
        engine.unreplicate(step.server, step.source, step.node)

    def protect(step: Step, _tell: Tell) -> None:
        engine.protect(fleet.servers[step.server], step.node, step.backups)

    def unprotect(step: Step, _tell: Tell) -> None:
        engine.unprotect(step.server, step.node)

    def arrange(step: Step, _tell: Tell) -> None:
        for kind in ("together", "apart"):
            if kind in step.changes:
                engine.arrange(Arrangement(kind, frozenset(step.servers)), on=bool(step.changes[kind][1]))

    return {
        "replicate": replicate,
        "promote": promote,
        "unreplicate": unreplicate,
        "protect": protect,
        "unprotect": unprotect,
        "arrange": arrange,
    }
