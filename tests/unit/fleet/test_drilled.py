# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a real drill: who was away how long, and whoever runs twice, nowhere, or does not serve is named first."""

from __future__ import annotations

from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.drilled import drilled, drilled_text
from fleets import fleet, guest, node, observed, seen, server, stranger


def watched(outage: float, *, serves: bool = True) -> dict[str, Any]:
    return {"outage": outage, "serves": serves}


PAPER = {"revivals": [{"server": "s", "seconds": 2.5}], "down": {}, "resting": {"rests": "failover is off"}}


def test_what_was_seen_beside_what_the_paper_said() -> None:
    s, t = server("s"), server("t")
    found = observed([seen("a"), seen("b")], [guest(s, "b", home="a"), guest(t, "b"), stranger("s", "a")])
    whole = fleet([node("a"), node("b")], [s, t])
    told = drilled(whole, found, {"s": "a", "t": "b"}, {"s": watched(6.04), "t": watched(0.1)}, PAPER)
    assert [(each.server, each.after, each.outage, each.expected, each.wrong) for each in told] == [
        ("s", "b", 6.04, 2.5, ""),
        ("t", "b", 0.1, None, ""),
    ]
    text = drilled_text(told)
    assert "a → b" in text
    assert "6.0" in text
    assert "1 others noticed nothing" in text


def test_what_is_wrong_comes_first_and_says_how() -> None:
    servers = [server(name) for name in ("s", "twice", "gone", "mute", "rests")]
    s, twice, _gone, mute, rests = servers
    guests = [guest(s, "b"), guest(twice, "a"), guest(twice, "b"), guest(mute, "b"), guest(rests, "a")]
    seen_of = {its.name: watched(1.0, serves=its is not mute) for its in servers}
    before = dict.fromkeys(seen_of, "a")
    whole = fleet([node("a"), node("b")], servers)
    told = drilled(whole, observed([seen("a"), seen("b")], guests), before, seen_of, PAPER)
    assert {each.server: each.wrong for each in told} == {
        "s": "",
        "twice": "runs on a, b",
        "gone": "runs nowhere",
        "mute": "does not serve",
        "rests": "runs on a, though nothing was to start it",
    }
    assert told[-1].server == "s"
    assert "a → down" in drilled_text(told)


def test_who_was_not_to_come_back_is_not_missed() -> None:
    rests = server("rests")
    whole = fleet([node("a"), node("b")], [rests])
    (told,) = drilled(whole, observed([seen("b")]), {"rests": "a"}, {"rests": watched(9.0, serves=False)}, PAPER)
    assert (told.wrong, told.after) == ("", "")
