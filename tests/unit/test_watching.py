# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a server did not serve is what was seen, from the last good answer to the next; real sockets answer."""

from __future__ import annotations

import socket
import threading
import time

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Check
from ansible_collections.switchyard.fleet.plugins.module_utils.watching import Seen, Target, watch


def test_the_longest_outage_counts_and_one_without_end_goes_on() -> None:
    seen = Seen()
    for moment, good in [(0.1, True), (0.2, False), (0.6, True), (0.7, False), (2.0, False)]:
        seen.note(moment, good=good)
    assert (round(seen.outage, 1), round(seen.began, 1), seen.serves) == (1.4, 0.6, False)
    assert (seen.tries, seen.good) == (5, 2)


def test_a_service_that_goes_away_and_comes_back_is_missed_for_as_long() -> None:
    first = socket.create_server(("127.0.0.1", 0))
    port = first.getsockname()[1]
    over = threading.Event()

    def disturb() -> None:
        time.sleep(0.5)
        first.close()
        time.sleep(1.0)
        with socket.create_server(("127.0.0.1", port)):
            time.sleep(0.5)
            over.set()
            time.sleep(0.5)

    thread = threading.Thread(target=disturb)
    thread.start()
    targets = {"s": Target("127.0.0.1", (Check("tcp", port),)), "t": Target("127.0.0.1")}
    found = watch(targets, over.is_set, interval=0.05, seconds=20)
    thread.join()
    assert 0.9 < found["s"].outage < 1.6
    assert 0.3 < found["s"].began < 0.8
    assert found["s"].serves
    # Nothing but its address: this machine refuses connections, which is an answer.
    assert found["t"].outage < 0.5


def test_it_ends_by_itself() -> None:
    began = time.monotonic()
    watch({"s": Target("127.0.0.1")}, lambda: False, interval=0.05, seconds=0.3)
    assert time.monotonic() - began < 5
