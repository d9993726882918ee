# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What monitoring is told: exit status, words and figures."""

from __future__ import annotations

import argparse

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.check import (
    Limit,
    limit,
    of_node,
    of_replica,
    of_servers,
    verdict,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.schedule import Replica
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.agent_report import Report
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found

NOW = 1_000_000.0
WARNING, CRITICAL = limit("3x"), limit("10x")
WELL = Report(replicates=True)


def replica(name="a", *, age=5.0, interval=60.0, failures=0, failure="", began=0.0, moving=""):
    return Replica(name, interval, NOW - age if age is not None else 0.0, 0.0, failures, failure, began, moving)


def judged(*listed, report=WELL, put=(), timer=True, warning=WARNING, critical=CRITICAL):
    findings = of_node(report, put, timer=timer)
    findings += [each for one in listed for each in of_replica(one, NOW, warning, critical)]
    return verdict(findings, listed, NOW, warning, critical)


def test_all_well_is_one_line_with_figures():
    status, text = judged(replica(age=30.0), replica("b", age=12.0))
    assert status == 0
    assert text == (
        "OK - 2 replicas, the oldest 30 s old (a) | replicas=2 failing=0 incomplete=0 oldest=30.0s "
        "intervals=0.50;3;10;0"
    )


def test_nothing_to_look_after_is_well():
    status, text = judged()
    assert (status, text.split(" | ", maxsplit=1)[0]) == (0, "OK - 0 replicas")


@pytest.mark.parametrize(("age", "status"), [(179, 0), (180, 1), (599, 1), (600, 2)])
def test_age_is_judged_by_each_replicas_own_interval(age, status):
    assert judged(replica(age=age), replica("hourly", age=age, interval=3600.0))[0] == status


def test_or_by_times():
    limits = {"warning": limit("90s"), "critical": limit("1h")}
    assert judged(replica(age=100), **limits)[0] == 1
    status, text = judged(replica(age=3601, interval=86400.0), **limits)
    assert status == 2
    assert "oldest=3601.0s;90;3600;0 intervals=0.04" in text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("3x", Limit(3, True)), ("1.5x", Limit(1.5, True)), ("90", Limit(90, False)), ("15m", Limit(900, False))],
)
def test_limits_are_multiples_or_times(text, wanted):
    assert limit(text) == wanted


@pytest.mark.parametrize("text", ["x", "soon", "", "3 intervals"])
def test_anything_else_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="accepted"):
        limit(text)


def test_failures_are_told_at_once_and_count_by_age():
    status, text = judged(replica(age=70, failures=1, failure="node1: no connection"))
    assert status == 0
    assert text.splitlines()[1] == ("a: 70 s old, interval 60 s, the last refresh failed: node1: no connection")
    assert "failing=1" in text


def test_a_replica_that_never_was_complete_is_a_warning_and_critical_if_it_fails():
    assert judged(replica(age=None))[0] == 1
    status, text = judged(replica(age=None, failures=2, failure="no space left on device"))
    assert status == 2
    assert text.startswith("CRITICAL - a: the replica was never complete, the last 2 refreshes failed: no space left")
    assert "incomplete=1" in text


def test_a_moment_that_is_yet_to_come_is_critical():
    status, text = judged(replica(age=-3600))
    assert status == 2 and "a: its replica is of a moment that is yet to come" in text
    assert judged(replica(age=-2))[0] == 0


@pytest.mark.parametrize(("age", "began", "status"), [(20, 10, 0), (200, 10, 1), (700, 10, 2), (20, 1000, 1)])
def test_a_replica_that_moves_is_told_of_and_one_whose_move_was_cut_off_is_wrong(age, began, status):
    found, text = judged(replica(age=age, began=NOW - began, moving="node2"))
    assert found == status
    assert "a: its replica is part of a move from or to node2" in text and "run the site playbook" in text


def test_a_replica_whose_interval_nobody_can_read_is_critical():
    assert judged(replica(interval=0.0))[0] == 2


def test_marks_that_cannot_be_read_are_critical_and_a_server_on_its_way_is_told_of():
    def guest(**marks):
        return Found({"config": {f"user.switchyard.{key}": text for key, text in marks.items()}}, "")

    assert of_servers({"a": guest(failover='{"mode": "auto", "later": 1}'), "b": guest(move="to node2 running")}) == []
    spoiled, moving = of_servers({"a": guest(failover="{"), "b": guest(move="to node2 running", replicas="node2")})
    assert (spoiled.status, moving.status) == (2, 0)
    assert "a: its mark" in spoiled.words and "b: it moves" in moving.words


def test_the_worst_comes_first_and_the_others_follow():
    status, text = judged(replica(age=200), replica("b", age=700), put=["pbx-aside-20261121-0300"])
    lines = text.splitlines()
    assert status == 2
    assert lines[0].startswith("CRITICAL - b: 700 s old, interval 60 s (and 2 more); 2 replicas, the oldest 700 s")
    assert [line.split(":")[0] for line in lines[1:]] == [
        "b",
        "an older copy of pbx-aside-20261121-0300 was put aside here; delete it once nobody needs what it has",
        "a",
    ]


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ({"timer": False}, 2, "nothing refreshes replicas here"),
        ({"report": Report()}, 2, "never worked to its end"),
        ({"report": Report(replicates=True, trouble="the cluster does not answer")}, 2, "the cluster does not answer"),
        ({"report": Report(replicates=True, servers={"pbx": "it stands still"})}, 2, "pbx: it stands still"),
        ({"put": ["pbx"]}, 1, "an older copy of pbx was put aside here"),
    ],
)
def test_what_is_wrong_with_the_node_itself(what, status, words):
    found, text = judged(replica(), **what)
    assert found == status
    assert words in text.splitlines()[0]


def test_no_words_are_taken_for_figures():
    text = judged(replica(age=None, failures=1, failure="a | b=1\nc"))[1]
    assert text.splitlines()[0].count("|") == 1
    assert "a / b=1 c" in text
