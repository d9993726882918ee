# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that goes wrong at everything that is done: what is told, that nobody else is touched, and that a second
run brings it to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Untrusted
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import guests, move, patience, task
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.hints import hint
from cluster import Credentials, client_of
from double import Double
from trouble import NODE, SCENES, Scene, Stage


@pytest.fixture
def double() -> Iterator[Double]:
    """A quick one: there are many."""
    with Double(nodes=3, latency=0.001, tls=True) as here:
        yield here


Trouble = Callable[[Double, Scene], object]


def _request(do: str, **more: object) -> Trouble:
    """Trouble with the one request that makes the change."""
    return lambda double, scene: double.faults.add(do, scene.request, **more)


def _task(do: str, **more: object) -> Trouble:
    """Trouble with the task that request begins."""
    return lambda double, scene: double.faults.add(do, scene.task, **more)


def _vmid(double: Double, scene: Scene) -> int:
    return next(vmid for vmid, guest in double.world.cluster.guests.items() if guest.name == scene.first.name)


def _locked(double: Double, scene: Scene) -> None:
    double.faults.lock_guest(_vmid(double, scene), "backup")


def _held(double: Double, scene: Scene) -> None:
    """Longer than Proxmox VE waits, shorter than we do."""
    double.faults.hold_guest(_vmid(double, scene), 90.0)


TROUBLES: dict[str, Trouble] = {
    "node is dead": lambda double, _scene: double.faults.kill(NODE),
    "node is dead and silent": lambda double, _scene: double.faults.kill(NODE, deaf=True),
    "quorum is lost": lambda double, _scene: double.faults.lose_quorum(),
    "quorum goes in between": _request("lose-quorum"),
    "node dies in the middle": _request("kill-node"),
    "guest is locked by a backup": _locked,
    "guest's lock file is held": _held,
    "nothing was done, and no answer": _request("lose-request"),
    "it was done, and no answer": _request("lose-answer"),
    "it was done, and half an answer": _request("cut-answer"),
    "it was done, and answered as an error": _request("half", text="unable to open file - Input/output error"),
    "slow": _request("delay", seconds=180.0),
    "somebody else is quicker": _request("race"),
    "not allowed": _request("refuse", status=403, text="Permission check failed (/vms/100, VM.Allocate)"),
    "not known any more": _request("refuse", status=401, text="permission denied - invalid token value!"),
    "595": _request("refuse", status=595, text="No route to host"),
    "596": _request("refuse", status=596, text="Broken pipe"),
    "task fails": _task("fail-task", text="zfs error: out of space"),
    "task warns": _task("warn-task", text="something is odd"),
    "task is killed": _task("kill-task"),
    "task is aborted": _task("abort-task", seconds=0.3),
    "task hangs": _task("hang-task", seconds=1300.0),
}
UNNOTICED = {
    "it was done, and no answer",
    "it was done, and half an answer",
    "slow",
    "task warns",
    "guest's lock file is held",
}
"""Of these a run takes no harm at all."""
TOLD_ALL_THE_SAME = ("unreplicate", "protect", "unprotect")
"""But for these, which do not ask what became of them: the next run does."""
WITH_TASKS = [name for name in TROUBLES if name.startswith("task ")]
NO_NODE = ("node is dead", "node is dead and silent", "node dies in the middle")


CLUSTERS = ("maintenance", "undrain", "replicate", "unreplicate", "protect", "unprotect")
"""What is the cluster's business: no node and no guest has a part in the request."""
ALIKE = ("restart", "undrain", "template", "create a VM", "start a VM", "move a VM", *CLUSTERS[2:])
"""What goes the same ways as the others: the ways that differ most are enough."""
FEW = (
    "node is dead", "quorum goes in between", "nothing was done, and no answer", "it was done, and no answer",
    "it was done, and answered as an error", "596", "task fails", "task is killed", "task is aborted",
)  # fmt: skip


def _cases() -> list[tuple[str, str]]:
    found = []
    for name, scene in SCENES.items():
        for trouble in FEW if name in ALIKE else TROUBLES:
            if trouble in WITH_TASKS and not scene.task:
                continue
            if name in CLUSTERS and (trouble in NO_NODE or trouble.startswith("guest")):
                continue
            if trouble == "somebody else is quicker" and name not in ("create", "configure"):
                continue
            if name == "create" and trouble.startswith("guest"):
                continue
            found.append((name, trouble))
    return found


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds on a cluster takes milliseconds here."""
    for module, name, seconds in (
        (task, "_FIRST", 0.01), (task, "_LONGEST", 0.1), (patience, "_FIRST", 0.02), (patience, "_LONGEST", 0.2),
        (guests, "_PAUSE", 0.05), (guests, "_LAG", 1.0), (move, "_PAUSE", 0.05),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, seconds)


@pytest.mark.parametrize(("name", "trouble"), _cases())
def test_a_second_run_brings_it_to_its_end(double: Double, name: str, trouble: str) -> None:
    scene = SCENES[name]
    stage = Stage(double, scene)
    result = stage.run(lambda: TROUBLES[trouble](double, scene))
    assert not result.interrupted and not result.running
    if trouble in UNNOTICED and name not in TOLD_ALL_THE_SAME:
        assert result.ok, [str(each.error) for each in result.failed]
    for failed in result.failed:
        _is_told(failed.error, trouble)
    assert stage.strangers_are_as_they_were()
    stage.heal()
    if stage.unlock():
        # No call takes a lock off: the error has said what to do on the node.
        assert result.failed
    stage.again()
    left = stage.plan()
    if left.steps or left.refusals:
        again = stage.carry_out(left)
        assert again.ok, [str(each.error) for each in again.failed]
        double.advance(15)
        assert stage.done()
    stage.close()
    assert stage.strangers_are_as_they_were() and stage.strangers_run()
    assert stage.copies() == (0 if name in ("delete", "undrain") else 1)
    if name in ("start", "create", "stop"):
        assert stage.starts() <= 1


def test_a_ticket_that_is_not_taken_any_more_is_renewed_once(double: Double) -> None:
    client = client_of(double, Credentials("root@pam", password=double.password))
    client.get("/version", "look")
    expired = {"status": 401, "text": "permission denied - invalid PVE ticket"}
    double.faults.add("refuse", "GET /version", **expired)
    assert client.get("/version", "look")["version"]
    double.faults.add("refuse", "POST /pools", **expired)
    client.send("POST", "/pools", "make a pool", {"poolid": "x"})
    assert double.world.calls["POST /access/ticket"] == 3
    double.faults.add("refuse", "GET /version", times=2, **expired)
    with pytest.raises(Untrusted, match="does not accept who we are"):
        client.get("/version", "look")
    client.close()


def test_half_a_clone_whose_lock_somebody_took_off_is_not_taken_for_a_server(double: Double) -> None:
    stage = Stage(double, SCENES["create a VM"])
    stage.run(lambda: double.faults.add("abort-task", "qmclone", seconds=0.3))
    stage.heal()
    double.faults.lock_guest(_vmid(double, stage.scene), "")
    stage.again()
    failed = stage.run().failed
    assert "was cut off half way" in str(failed[0].error) and "qm destroy" in str(failed[0].error)
    assert stage.starts() == 0
    stage.close()


def _is_told(error: Exception | None, trouble: str) -> None:
    """Where, what was tried, what came back, and what to do unless the answer itself is all there is to say."""
    assert isinstance(error, EngineError), repr(error)
    assert error.node and error.attempt and error.answer, repr(str(error))
    assert str(error).startswith(f"{error.node}: {error.attempt}: {error.answer}")
    known = hint(error.answer)
    assert error.hint or known == "", str(error)
    if trouble in NO_NODE or trouble in (
        "quorum is lost",
        "not allowed",
        "not known any more",
        "595",
        "task is killed",
    ):
        assert error.hint, str(error)
