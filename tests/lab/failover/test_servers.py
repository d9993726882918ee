# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, not their nodes, that die, hang, or fail their service check."""

from __future__ import annotations

import json
import time

import pytest
from support.guarded import GuardedFleet, until
from support.prober import STARVED
from support.watch import Watch

pytestmark = pytest.mark.lab

MOST = 3
"""Restarts in place within ten minutes, unless the inventory says otherwise."""
WAYS = {
    "dies": "kill -9 $(incus list --format=csv --columns=p {name})",
    "hangs": "incus exec {name} -- killall -STOP httpd",
    "is paused": "incus pause {name}",
    "fails its check": "incus exec {name} -- rm /srv/www/index.html",
}


def test_a_server_that_dies_hangs_or_fails_its_check_is_restarted_where_it_is(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        before = fleet.where()
        sick = dict(zip(sorted(before), WAYS.items(), strict=False))
        for name, (what, way) in sick.items():
            watch.note(f"{name} {what}")
            fleet.outside.console(before[name], "sh", "-c", way.format(name=name))
        watch.all_answer()
        assert set(watch.prober.back(watch.began, STARVED)) == set(sick), "nobody else was away"
        assert fleet.where() == before


def restarts(fleet: GuardedFleet, node: str, name: str) -> int:
    """How often a server was restarted in place, as its node remembers."""
    told = fleet.outside.console(
        node, "sh", "-c", "for each in /run/switchyard/pairs/*; do cat $each; echo; done", check=False
    )
    remembered = [json.loads(line)["healths"] for line in told.splitlines() if line]
    return max((len(healths[name]["restarts"]) for healths in remembered if name in healths), default=0)


@pytest.mark.long
def test_a_server_that_is_beyond_help_takes_nobody_along(watch: Watch) -> None:
    fleet = watch.fleet
    name = "pbx05"
    with watch.scenario():
        before = fleet.where()
        node = before[name]

        def inside(program: str) -> None:
            fleet.outside.console(node, "incus", "exec", name, "--", "sh", "-c", program)

        # Its web server ends at once, however often it is started.
        inside("mv /srv/www /srv/was; touch /srv/www; killall httpd")
        said = watch.until_named(name, node)
        until(lambda: restarts(fleet, node, name) == MOST, 240, lambda: restarts(fleet, node, name), pause=2)
        # One more look at it, and one more.
        time.sleep(12)
        assert restarts(fleet, node, name) == MOST
        assert fleet.where() == before, said
        assert set(watch.prober.back(watch.began, STARVED)) == {name}, "nobody else was away"
        inside("rm /srv/www; mv /srv/was /srv/www")
        watch.all_answer()
