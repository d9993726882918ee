# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that was deleted while its backup had no power does not come back from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.copies import Copy
from support.guarded import GuardedFleet, until
from support.watch import Watch

from .conftest import SERVERS

pytestmark = [pytest.mark.lab, pytest.mark.long]

GONE = "pbx07"


def left(fleet: GuardedFleet) -> list[Copy]:
    """The copies of the server that was deleted."""
    return [each for each in fleet.copies() if each.server == GONE]


def delete(fleet: GuardedFleet, report: Path) -> None:
    """As a task does."""
    playbook = Path(__file__).parents[1] / "server.yml"
    options = {"name": GONE, "state": "absent", "force": True}
    fleet.play(playbook, options=options, only_foretell=False, report=str(report))
    assert not json.loads(report.read_text())["did"].get("failed"), report.read_text()


def test_a_server_deleted_while_its_backup_is_dead_is_started_by_nobody(watch: Watch, tmp_path: Path) -> None:
    fleet = watch.fleet
    with watch.scenario():
        nodes = {node: {} for node in fleet.nodes}
        fleet.declare({**SERVERS, GONE: {}}, nodes)
        fleet.play("site")
        fleet.calm()
        home = fleet.where()[GONE]
        backup = next(each.node for each in left(fleet) if each.role == "replica")
        watch.cut_power(backup)
        watch.all_answer(but=[GONE])
        assert [each.role for each in left(fleet)] == ["primary"]
        delete(fleet, tmp_path / "report.json")
        assert left(fleet) == []
        fleet.declare(SERVERS, nodes)
        watch.boot(backup)
        fleet.calm()
        # What is left of it stays, for whoever deleted it by mistake; the cluster does not look after it any more.
        until(lambda: [(each.role, each.pair) for each in left(fleet)] == [("replica", None)], 120, lambda: left(fleet))
        watch.cut_power(home)
        watch.all_answer()
        assert home not in fleet.where().values()
        assert [(each.role, each.running) for each in left(fleet)] == [("replica", False)]
        watch.boot(home)
        fleet.calm()
        fleet.outside.console(backup, "incus", "delete", GONE)
