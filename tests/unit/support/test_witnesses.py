# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The witnesses of a failover: what each of them calls wrong, and what it does not."""

from __future__ import annotations

import http.server
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.copies import Copy, copies, not_once, refreshed
from support.numbers import Writer, lost
from support.prober import Prober
from support.wire import Answer, doubles

# ---------------------------------------------------------------- the wire


def answers(*spans: tuple[str, float, float], server: str = "pbx") -> list[Answer]:
    """What is heard of copies that each run on a node from one moment to another."""
    return [
        Answer(first + number * 0.05, server, node)
        for node, first, last in spans
        for number in range(round((last - first) / 0.05))
    ]


def test_a_server_that_moves_or_starts_anew_is_there_once() -> None:
    assert doubles(answers(("node1", 0, 5), ("node2", 5.3, 9))) == []
    assert doubles(answers(("node1", 0, 5), ("node1", 5.3, 9))) == []
    assert doubles(answers(("node1", 0, 5), ("node2", 6, 9), ("node1", 9.5, 12))) == []


@pytest.mark.parametrize("overlap", [0.05, 0.5, 5])
def test_two_copies_at_once_are_seen(overlap: float) -> None:
    found = doubles(answers(("node1", 0, 5), ("node2", 5 - overlap, 9)))
    assert found
    assert {each.nodes for each in found} <= {("node1", "node2"), ("node2", "node1")}


def test_one_that_answers_rarely_beside_another_is_seen() -> None:
    often = answers(("node1", 0, 3))
    rarely = [Answer(1.07, "pbx", "node2")]
    assert doubles(often + rarely)
    # Answers far from each other, to and fro.
    assert doubles([Answer(0.0, "pbx", "node1"), Answer(0.4, "pbx", "node2"), Answer(0.8, "pbx", "node1")])


def test_two_servers_are_not_two_copies() -> None:
    assert doubles(answers(("node1", 0, 5)) + answers(("node2", 0, 5), server="sip")) == []


# ---------------------------------------------------------------- numbers


def test_what_was_acknowledged_before_the_refresh_has_to_be_there() -> None:
    acknowledged = {1: 10.0, 2: 20.0, 3: 30.0}
    assert lost(acknowledged, {1, 2}, until=25.0) == []
    assert lost(acknowledged, {2}, until=25.0) == [1]
    assert lost(acknowledged, set(), until=math.inf) == [1, 2, 3]


class Page(http.server.BaseHTTPRequestHandler):
    """A server that can be told to be silent, or to take numbers without keeping them."""

    silent, forgetful = False, False
    numbers: ClassVar[set[int]] = set()

    def do_GET(self) -> None:
        if Page.silent:
            return
        number = self.path.partition("?")[2]
        if number and not Page.forgetful:
            Page.numbers.add(int(number))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"written\n")

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextmanager
def serving() -> Iterator[int]:
    """The port a page is on."""
    Page.silent, Page.forgetful, Page.numbers = False, False, set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_writer_knows_what_was_acknowledged() -> None:
    with serving() as port, Writer({"pbx": "127.0.0.1"}, every=0.02, port=port) as writer:
        time.sleep(0.4)
        Page.silent = True
        time.sleep(0.2)
        silent_since = time.time()
        time.sleep(0.3)
        acknowledged = dict(writer.acknowledged["pbx"])
        assert len(acknowledged) > 3
        assert max(acknowledged.values()) < silent_since
        assert lost(acknowledged, Page.numbers, math.inf) == []
        Page.silent, Page.forgetful = False, True
        time.sleep(0.3)
        assert lost(dict(writer.acknowledged["pbx"]), Page.numbers, math.inf)


# ---------------------------------------------------------------- silence


def test_a_prober_tells_how_long_somebody_was_away() -> None:
    with serving() as port, Prober({"pbx": "127.0.0.1"}, port) as prober:
        time.sleep(0.3)
        moment = time.time()
        assert prober.back(moment) == {}
        # It accepts connections all the same.
        Page.silent = True
        time.sleep(1)
        assert prober.back(moment) == {"pbx": math.inf}
        Page.silent = False
        time.sleep(0.4)
        assert 0.9 < prober.back(moment)["pbx"] < 1.4
        assert 0.9 < prober.gaps["pbx"] < 1.4
        assert prober.back(time.time()) == {}


def test_a_prober_that_is_too_busy_to_try_has_seen_nobody_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.prober._EVERY", 0.8)
    with serving() as port, Prober({"pbx": "127.0.0.1"}, port) as prober:
        moment = time.time()
        time.sleep(1.5)
        assert prober.back(moment) == {}
        assert prober.gaps["pbx"] > 0.5


# ---------------------------------------------------------------- copies


GOOD = Copy("pbx", "node1", True, "primary", 3, 0.0, False, ("node1", "node2"), ("node2",), "")
REPLICA = replace(GOOD, node="node2", running=False, role="replica", refreshed=17.0)
ASIDE = replace(REPLICA, server="pbx-aside-20260102-0304", node="node3", role="primary", aside="pbx", refreshed=0.0)


def test_a_server_that_runs_once_and_its_copies_are_in_order() -> None:
    assert not_once([GOOD, REPLICA, ASIDE], ["pbx"]) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([GOOD, replace(REPLICA, running=True)], "runs 2 times"),
        ([GOOD, replace(ASIDE, running=True)], "runs 2 times"),
        ([GOOD, replace(REPLICA, role="primary")], "2 primaries"),
        ([replace(GOOD, running=False), REPLICA], "runs 0 times"),
        ([REPLICA], "0 primaries"),
        ([replace(GOOD, running=False), replace(REPLICA, running=True)], "its primary is on node1"),
        ([], "runs 0 times"),
    ],
)
def test_what_is_not_there_once_is_named(found: list[Copy], words: str) -> None:
    assert words in "\n".join(not_once(found, ["pbx"]))


def test_copies_are_read_from_what_nodes_tell() -> None:
    mark = "user.switchyard."
    config = {f"{mark}role": "replica", f"{mark}generation": "1000", f"{mark}replica.refreshed": "17.5"}
    guest = {"name": "pbx", "status": "Stopped", "config": {**config, f"{mark}pair": "node1 node2"}}
    (copy,) = copies({"node2": [guest]})
    assert (copy.running, copy.generation, copy.pair) == (False, 1000, ("node1", "node2"))
    assert refreshed([copy, replace(copy, refreshed=3.0)]) == {"pbx": 17.5}
