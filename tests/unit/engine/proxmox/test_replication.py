# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas: complete before anybody counts on them, where they are declared, and gone when they are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused, TimedOut
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Missing
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.first_run import FirstRun
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import ConvergeOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication
from cluster import guest, silent
from double import Double
from guarded import EVERY_5M, Told, carry_out, changes, converged, engine, fleet, ids, pbx, primary, replicas, until

COPIED = pbx(failover=Failover())


def jobs(double: Double) -> dict[str, tuple[str, object, str]]:
    """Job -> where it leads, when it runs, and whether it is on its way out."""
    found = double.world.replicator.jobs.values()
    return {job.id: (job.target, job.options.get("schedule"), job.remove) for job in found}


def volumes_on(double: Double, node: str, vmid: int) -> list[str]:
    rows = double.ask("GET", f"/nodes/{node}/storage/local-zfs/content", vmid=vmid).data
    return [row["volid"] for row in rows]


def test_a_server_is_made_started_and_replicated_to_its_end(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    plan = converged(platform, declared)
    assert ids(plan) == ["create/pbx-001", "start/pbx-001", "replicate/pbx-001"]
    step = plan.steps[-1]
    assert (step.source, step.cost.copied, step.reason) == ("pve1", 1024, "the best backup there is")
    assert jobs(double) == {"100-0": (step.node, "*/5", "")}
    assert volumes_on(double, step.node, 100), "the copy is there when the step ends"
    copy = replicas(platform, "pbx-001")[0]
    assert (copy.node, copy.size.disk, copy.complete) == (step.node, 1024, True)
    assert copy.copying is not None and copy.copying.interval == 300


def test_a_second_run_writes_nothing_and_asks_no_more_for_ten_servers_than_for_one(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    converged(platform, declared)
    until(lambda: not converge(declared, platform.observe()).steps, "the fleet is as declared")

    def asked(what: object) -> int:
        before = platform.calls
        assert not converge(what, platform.observe()).steps  # type: ignore[arg-type]
        return platform.calls - before

    one = asked(declared)
    many = fleet(double, *(replace(COPIED, name=f"pbx-{n:03}", interfaces=()) for n in range(1, 9)))
    other = engine(double, many)
    carry_out(other, many, converge(many, other.observe()))
    until(lambda: not converge(many, other.observe()).steps, "the fleet is as declared")
    platform = other
    spread = {each.node for each in platform.observe().servers if each.role == "primary"}
    assert asked(many) == one + len(spread) - 1, "one request per node that has replicas to tell of"


def test_a_backup_that_changes_is_copied_to_before_the_old_copy_goes(double: Double) -> None:
    first = fleet(double, COPIED, backup={"pve1": "pve2"})
    platform = engine(double, first)
    converged(platform, first)
    other = fleet(double, COPIED, backup={"pve1": "pve3"})
    platform = engine(double, other)
    plan = converge(other, platform.observe())
    assert ids(plan) == ["replicate/pbx-001", "unreplicate/pbx-001@pve2"]
    assert plan.steps[1].needs == ("replicate/pbx-001",)
    assert plan.steps[0].changes["replica"] == ("pve2", "pve3")
    assert "node_backup of pve1; until then the one on pve2 stays" in plan.steps[0].reason
    carry_out(platform, other, plan)
    assert [each.node for each in replicas(platform, "pbx-001")] == ["pve3"], "one that is going is none any more"
    until(lambda: list(jobs(double)) == ["100-1"], "the scheduler removes the old job")
    assert not volumes_on(double, "pve2", 100)


def test_a_replica_stays_where_it_is_when_nobody_declares_another(double: Double) -> None:
    first = fleet(double, COPIED, backup={"pve1": "pve3"})
    converged(engine(double, first), first)
    open_choice = fleet(double, COPIED)
    assert ids(converge(open_choice, engine(double, open_choice).observe())) == []


@pytest.fixture
def held(double: Double, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No job is removed, only marked, until this is set."""
    go, remove = threading.Event(), double.world.replicator._remove

    def wait(job: Any) -> Iterator[Any]:
        # The scheduler comes by again in a minute.
        yield 0.1
        if go.is_set():
            yield from remove(job)

    monkeypatch.setattr(double.world.replicator, "_remove", wait)
    return go


def test_a_job_back_to_where_one_is_just_being_removed_waits_for_its_end(
    double: Double, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    platform.unreplicate("pbx-001", "pve1", "pve2")
    assert jobs(double)["100-0"][2] == "full"
    looks: list[str] = []
    real = platform._client.get

    def get(path: str, *rest: Any, **more: Any) -> Any:
        looks.append(path)
        if looks.count("/cluster/replication") > 3:
            held.set()
        return real(path, *rest, **more)

    monkeypatch.setattr(platform._client, "get", get)
    platform.replicate(COPIED, "pve1", "pve2", silent)
    assert held.is_set(), "it looked again and again"
    assert [(target, remove) for target, _when, remove in jobs(double).values()] == [("pve2", "")]
    assert replicas(platform, "pbx-001")[0].complete


def test_a_number_that_is_on_its_way_out_is_not_taken_again(double: Double, held: threading.Event) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    platform.create(COPIED, "pve1", silent)
    platform.replicate(COPIED, "pve1", "pve2", silent)
    platform.unreplicate("pbx-001", "pve1", "pve2")
    platform.unreplicate("pbx-001", "pve1", "pve2")
    platform.replicate(COPIED, "pve1", "pve3", silent)
    assert jobs(double)["100-1"][0] == "pve3"
    assert [each.node for each in replicas(platform, "pbx-001")] == ["pve3"], "one that is going is none any more"
    held.set()
    until(lambda: list(jobs(double)) == ["100-1"], "the scheduler removes the old job")


def test_an_interval_that_changes_is_a_change_of_the_job_alone(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    converged(platform, declared)
    slower = replace(COPIED, replication=Replication("interval", 7200))
    declared = fleet(double, slower)
    platform = engine(double, declared)
    plan = converge(declared, platform.observe())
    assert ids(plan) == ["replicate/pbx-001"]
    assert plan.steps[0].changes == {"interval": ("300 s", "7200 s")}
    assert plan.steps[0].cost.copied == 0
    assert changes(platform, lambda: carry_out(platform, declared, plan)) == ["PUT /cluster/replication/100-0"]
    assert ids(converge(declared, platform.observe())) == []


def test_what_a_node_may_send_for_replicas_is_in_its_jobs_and_left_alone_where_nobody_says(double: Double) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2"})
    converged(engine(double, declared), declared)
    double.ask("PUT", "/cluster/replication/100-0", rate=7)
    assert ids(converge(declared, engine(double, declared).observe())) == []
    declared = replace(
        declared, nodes={name: replace(node, replication_bandwidth=50) for name, node in declared.nodes.items()}
    )
    platform = engine(double, declared)
    plan = converged(platform, declared)
    assert [step.changes for step in plan.steps] == [{"bandwidth": ("7 MiB/s", "50 MiB/s")}]
    assert double.world.replicator.jobs["100-0"].options["rate"] == 50
    assert ids(converge(declared, platform.observe())) == []


def test_a_server_whose_backup_is_down_is_deleted_without_waiting_for_it(double: Double) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    platform.observe()
    platform.stop("pbx-001", "pve1")
    double.faults.kill("pve2")
    platform.delete("pbx-001", "pve1")
    assert jobs(double) == {}
    assert not double.world.cluster.guests


def test_a_job_to_a_node_that_left_the_cluster_goes_without_its_copy(double: Double) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    double.faults.kill("pve2")
    del double.world.cluster.nodes["pve2"]
    platform.unreplicate("pbx-001", "pve1", "pve2")
    assert jobs(double)["100-0"][2] == "local"


def test_an_interval_below_a_minute_is_rounded_up_and_said(double: Double) -> None:
    quick = replace(COPIED, replication=Replication("interval", 10))
    declared = fleet(double, quick)
    platform = engine(double, declared)
    plan = converged(platform, declared)
    assert any("10 s of pbx-001 is rounded up to 60 s" in note for note in plan.notes)
    assert next(iter(jobs(double).values()))[1] == "*/1"
    assert ids(converge(declared, platform.observe())) == []


def test_a_job_somebody_switched_off_is_switched_on_again(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    converged(platform, declared)
    double.ask("PUT", "/cluster/replication/100-0", disable=1)
    assert ids(converged(platform, declared)) == ["replicate/pbx-001"]
    assert "disable" not in double.world.replicator.jobs["100-0"].options
    assert ids(converge(declared, platform.observe())) == []


def test_a_disk_that_cannot_be_replicated_is_refused_before_anything_is_made(double: Double) -> None:
    wrong = replace(COPIED, pool="local")
    declared = fleet(double, wrong)
    platform = engine(double, declared)
    plan = converge(declared, platform.observe())
    assert not plan.steps
    assert [(each.subject, each.reason) for each in plan.refusals] == [
        (
            "pbx-001",
            "vs_replication: pool local is of type dir; only disks on type zfspool are replicated: see vs_pool",
        )
    ]
    alone = engine(double, fleet(double, replace(wrong, replication=Replication())))
    alone.create(wrong, "pve1", silent)

    def refused() -> None:
        with pytest.raises(Refused, match=r"its rootfs is on storage local \(type dir\) \(only disks on storages of t"):
            platform.replicate(wrong, "pve1", "pve2", silent)

    assert changes(platform, refused) == []


def test_a_backup_without_the_storage_is_refused_before_anything_is_made(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    platform.create(COPIED, "pve1", silent)
    double.ask("PUT", "/storage/local-zfs", nodes="pve1,pve3")
    with pytest.raises(Refused, match="storage local-zfs is not available on pve2"):
        platform.replicate(COPIED, "pve1", "pve2", silent)
    assert jobs(double) == {}


def test_a_first_run_that_fails_says_why_and_the_next_run_tries_again(double: Double) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    platform.create(COPIED, "pve1", silent)
    platform.start("pbx-001", "pve1")
    double.faults.unreachable("pve2")
    with pytest.raises(Refused, match=r"the first run failed: .*pvesr prepare-local-job"):
        platform.replicate(COPIED, "pve1", "pve2", silent)
    copy = replicas(platform, "pbx-001")[0]
    assert not copy.complete and copy.copying is not None and copy.copying.failures == 1
    double.faults.unreachable("pve2", False)
    plan = converge(declared, platform.observe())
    assert ids(plan) == ["replicate/pbx-001"]
    assert plan.steps[0].reason == "its first copy was cut off"
    assert any("the last refresh" in note for note in plan.notes)
    carry_out(platform, declared, plan)
    assert replicas(platform, "pbx-001")[0].complete


def test_a_job_of_somebody_elses_counts_and_is_never_changed(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    platform.create(COPIED, "pve1", silent)
    platform.start("pbx-001", "pve1")
    double.ask("POST", "/cluster/replication", id="100-7", type="local", target="pve3", schedule="*/1")
    plan = converge(declared, platform.observe())
    assert ids(plan) == []
    assert any("the replica of pbx-001 on pve3: set up by somebody else" in note for note in plan.notes)
    with pytest.raises(Refused, match="job 100-7 to pve3 was set up by somebody else; it was not touched"):
        platform.replicate(COPIED, "pve1", "pve3", silent)
    with pytest.raises(Refused, match="it was not touched"):
        platform.unreplicate("pbx-001", "pve1", "pve3")
    assert jobs(double) == {"100-7": ("pve3", "*/1", "")}


def test_to_its_replica_a_server_is_switched_and_the_replica_is_its_old_node(double: Double) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2", "pve2": "pve1"})
    platform = engine(double, declared)
    converged(platform, declared)
    platform.move(COPIED, "pve1", "pve2", "switch", silent)
    assert (guest(double, "pbx-001").node, jobs(double)["100-0"][0]) == ("pve2", "pve1")
    assert [each.node for each in replicas(platform, "pbx-001")] == ["pve1"]
    assert ids(converge(declared, platform.observe())) == []


def test_one_that_is_pruned_takes_its_replica_along(double: Double) -> None:
    declared = fleet(double, COPIED, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    bare = fleet(double)
    platform = engine(double, bare)
    carry_out(platform, bare, converge(bare, platform.observe(), ConvergeOptions(prune=frozenset({"all"}))))
    assert not double.world.cluster.guests and not jobs(double)
    assert not volumes_on(double, "pve2", 100), "nobody would ever remove it"


def waiting(client: object, job: str = "100-0", patience: float = 0.0) -> FirstRun:
    return FirstRun(client, "pve1", job, "replicate", patience, silent)  # type: ignore[arg-type]


class Scripted:
    """A cluster whose job never begins, while others run, as told."""

    def __init__(self, *others: dict[str, object]) -> None:
        self.others = list(others)
        self.sent: list[str] = []

    def get(self, path: str, _attempt: str, **_more: object) -> object:
        if path.endswith("/status"):
            return {"last_sync": 0, "fail_count": 0}
        return [self.others.pop(0)] if self.others else []

    def send(self, _method: str, path: str, _attempt: str, **_more: object) -> None:
        self.sent.append(path)


def test_a_run_waits_for_its_turn_as_long_as_others_have_theirs() -> None:
    cluster = Scripted({"id": "1-0", "pid": 7}, {"id": "2-0", "pid": 8}, {"id": "2-0", "pid": 8})
    with pytest.raises(TimedOut, match=r"2-0 \(pid 8\) is at work all that time"):
        waiting(cluster)()
    assert cluster.others == []
    assert cluster.sent == ["/nodes/pve1/replication/100-0/schedule_now"], "asked for once in a while"


def test_where_no_job_runs_at_all_it_is_not_waited_for_any_longer() -> None:
    with pytest.raises(TimedOut, match="its scheduler is at work on nothing"):
        waiting(Scripted({"id": "1-0"}))()


def test_a_job_that_was_removed_meanwhile_is_told(double: Double) -> None:
    platform = engine(double, fleet(double, COPIED))
    with pytest.raises(Missing):
        waiting(platform._client, patience=9.0)()


def test_progress_is_told(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    platform.create(COPIED, "pve1", silent)
    told = Told()
    platform.replicate(COPIED, "pve1", "pve2", told)
    assert told.words[0] == "waiting for the scheduler"


def test_what_is_no_longer_declared_goes(double: Double) -> None:
    declared = fleet(double, COPIED)
    platform = engine(double, declared)
    converged(platform, declared)
    plain = fleet(double, replace(COPIED, replication=Replication()))
    platform = engine(double, plain)
    plan = converged(platform, plain)
    assert [(each.action, each.reason) for each in plan.steps if each.action != "configure"] == [
        ("unreplicate", "vs_replication: none")
    ]
    assert replicas(platform, "pbx-001") == []
    assert primary(platform, "pbx-001").state == "running"


def test_the_interval_is_in_seconds() -> None:
    assert EVERY_5M.interval == 300
