# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps are carried out side by side, in order, within limits, and not beyond the first failure."""

from __future__ import annotations

import threading
import time

from ansible_collections.switchyard.fleet.plugins.module_utils import apply
from ansible_collections.switchyard.fleet.plugins.module_utils.apply import Run, Watcher
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Step


def step(name, node="n1", needs=(), *, action="create", pause=0.0, source=""):
    return Step(id=name, action=action, node=node, server=name, needs=tuple(needs), pause=pause, source=source)


class Recorder:
    """Does steps by noting when they ran; fails or hangs where told."""

    def __init__(self, fail=(), seconds=0.02):
        self.fail, self.seconds = set(fail), seconds
        self.began, self.ended, self.most = {}, {}, {}
        self._now, self._lock = {}, threading.Lock()

    def __call__(self, step, progress):
        with self._lock:
            self.began[step.id] = time.monotonic()
            self._now[step.node] = self._now.get(step.node, 0) + 1
            self.most[step.node] = max(self.most.get(step.node, 0), self._now[step.node])
        time.sleep(self.seconds)
        with self._lock:
            self._now[step.node] -= 1
            self.ended[step.id] = time.monotonic()
        if step.id in self.fail:
            raise RuntimeError("no space left on device")


def carry_out(steps, do, per_node=None, total=32, stop=None):
    return Run(steps, do, per_node or {"n1": 4, "n2": 4}, total, Watcher())(stop or threading.Event())


def test_a_step_waits_for_what_it_needs():
    do = Recorder()
    result = carry_out([step("a"), step("b", needs=["a"])], do)
    assert result.ok
    assert do.began["b"] >= do.ended["a"]


def test_steps_without_needs_go_side_by_side_within_the_limit_of_their_node():
    do = Recorder(seconds=0.05)
    carry_out([step(f"s{i}", node=f"n{i % 2 + 1}") for i in range(12)], do, {"n1": 2, "n2": 3})
    assert do.most == {"n1": 2, "n2": 3}


def test_a_copy_takes_a_place_on_both_its_nodes():
    do = Recorder(seconds=0.05)
    carry_out([step("copy", "n2", source="n1"), step("make", "n1")], do, {"n1": 1, "n2": 1})
    assert do.began["make"] >= do.ended["copy"]


def test_a_step_that_only_waits_for_its_server_leaves_its_place_to_the_next():
    began, done = {}, threading.Event()

    def do(step, tell):
        began[step.id] = time.monotonic()
        if step.id == "a":
            tell.node_is_free()
            assert done.wait(5), "b was not begun while a waited"
        else:
            done.set()

    assert carry_out([step("a"), step("b")], do, {"n1": 1}).ok
    assert began["b"] >= began["a"]


def test_the_whole_fleet_has_a_limit_too():
    do = Recorder(seconds=0.05)
    steps = [step(f"s{i}", node=f"m{i}") for i in range(6)]
    began = time.monotonic()
    carry_out(steps, do, {f"m{i}": 1 for i in range(6)}, total=2)
    assert time.monotonic() - began >= 0.15


def test_what_was_begun_is_brought_to_its_end_before_more_is_begun():
    do = Recorder()
    steps = [step(f"make{i}") for i in range(4)] + [step(f"start{i}", needs=[f"make{i}"]) for i in range(4)]
    carry_out(steps, do, {"n1": 1})
    assert list(do.began)[:4] == ["make0", "start0", "make1", "start1"]


def test_a_gate_holds_its_pause():
    do = Recorder()
    gate = step("gate", node="", needs=["a"], action="gate", pause=0.3)
    carry_out([step("a"), gate, step("b", needs=["gate"])], do)
    assert do.began["b"] - do.ended["a"] >= 0.3


def test_the_first_failure_stops_launching_and_lets_running_steps_end():
    do = Recorder(fail={"a"}, seconds=0.05)
    steps = [step("a", "n1"), step("b", "n2"), step("c", "n1", needs=["a"]), step("d", "n1")]
    result = carry_out(steps, do, {"n1": 1, "n2": 1})
    assert [outcome.step.id for outcome in result.failed] == ["a"]
    assert [outcome.step.id for outcome in result.done] == ["b"]
    assert [left.id for left in result.remaining] == ["c", "d"]
    assert not result.ok


def test_told_to_stop_it_launches_nothing_more_and_lets_running_steps_end():
    do, stop = Recorder(seconds=0.3), threading.Event()
    threading.Timer(0.1, stop.set).start()
    result = carry_out([step("a"), step("b", needs=["a"])], do, stop=stop)
    assert result.interrupted
    assert [outcome.step.id for outcome in result.done] == ["a"]
    assert [left.id for left in result.remaining] == ["b"]


def test_told_to_stop_it_does_not_wait_for_a_step_that_hangs(monkeypatch):
    monkeypatch.setattr(apply, "GRACE", 0.2)
    do, stop = Recorder(seconds=30), threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    result = carry_out([step("a")], do, stop=stop)
    assert time.monotonic() - began < 5
    assert [left.id for left in result.running] == ["a"]


def test_the_watcher_hears_everything_in_order():
    heard = []

    class Ear(Watcher):
        def started(self, step):
            heard.append(f"started {step.id}")

        def progressed(self, step, words):
            heard.append(f"{step.id} {words}")

        def ended(self, outcome):
            heard.append(f"ended {outcome.step.id}")

    Run([step("a"), step("b", needs=["a"])], lambda step, progress: progress("42 %"), {}, 1, Ear())(threading.Event())
    assert heard == ["started a", "a 42 %", "ended a", "started b", "b 42 %", "ended b"]


def test_told_to_stop_it_stays_with_a_step_that_must_end(monkeypatch):
    monkeypatch.setattr(apply, "GRACE", 0.1)
    stop = threading.Event()

    def do(step, tell):
        if step.id == "vital":
            tell.must_end()
            stop.set()
            time.sleep(0.6)
        else:
            time.sleep(30)

    result = carry_out([step("vital", "n1"), step("other", "n2")], do, stop=stop)
    assert [outcome.step.id for outcome in result.done] == ["vital"]
    assert [left.id for left in result.running] == ["other"]
