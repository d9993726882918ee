# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong when asked to, and in which words the callers are told."""

from __future__ import annotations

import http.client
import urllib.parse

import pytest
from double import Double
from double.errors import Hangup
from test_life import TEMPLATE, create, state


def test_a_dead_node_is_found_out_by_a_timeout_and_then_refuses(double: Double) -> None:
    double.add_guest(100, "pve2", running=True)
    double.faults.kill("pve2")
    begun = double.world.clock.now()
    first = double.ask("GET", "/nodes/pve2/status")
    assert (first.status, first.reason, first.body) == (595, "Connection timed out", None)
    assert round(double.world.clock.now() - begun) == 30
    assert double.ask("POST", "/nodes/pve2/lxc/100/status/start").reason == "Connection refused"
    assert state(double, 100)["status"] == "running", "its guests go on seeming to run"
    nodes = {row["node"]: row["status"] for row in double.ask("GET", "/cluster/resources", type="node").data}
    assert nodes == {"pve1": "online", "pve2": "offline", "pve3": "online"}


def test_a_node_that_dies_while_it_is_asked_breaks_the_call(double: Double) -> None:
    double.add_guest(100, "pve2")
    double.world.clock.call_later(0.05, lambda: double.faults.kill("pve2"))
    answer = double.ask("PUT", "/nodes/pve2/lxc/100/config", memory=128)
    assert (answer.status, answer.reason, answer.body) == (596, "Broken pipe", None)


def test_ha_starts_elsewhere_what_a_dead_node_carried(double: Double) -> None:
    double.add_guest(100, "pve2", running=True, disk="shared:1")
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    double.advance(20)
    double.faults.kill("pve2")
    double.advance(110)
    assert double.world.cluster.guests[100].node == "pve2", "not before the node counts as fenced"
    double.advance(50)
    guest = double.world.cluster.guests[100]
    assert guest.node != "pve2" and guest.running


def test_ha_recovers_onto_a_node_without_the_replica_and_ends_in_error(double: Double) -> None:
    """The node without a service is chosen: a rule is what would tie the guest to its replica."""
    double.add_guest(100, "pve3", running=True)
    double.add_guest(101, "pve1", running=True, disk="shared:1")
    for sid in ("ct:100", "ct:101"):
        double.ask("POST", "/cluster/ha/resources", sid=sid)
    double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve1", schedule="*/1")
    double.advance(150)
    double.faults.kill("pve3")
    double.advance(300)
    rows = {row.get("sid"): row for row in double.ask("GET", "/cluster/ha/status/current").data}
    assert (rows["ct:100"]["state"], rows["ct:100"]["node"]) == ("error", "pve2")
    assert any(task.status.startswith("zfs error: cannot open") for task in double.world.tasks.all.values())


def test_what_a_strict_rule_ties_to_a_dead_node_waits_for_it(double: Double) -> None:
    double.add_guest(100, "pve2", running=True, disk="shared:1")
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    rule = {"rule": "home", "type": "node-affinity", "resources": "ct:100", "nodes": "pve2", "strict": 1}
    assert double.send("POST", "/cluster/ha/rules", rule).status == 200
    double.advance(20)
    double.faults.kill("pve2")
    double.advance(200)
    assert double.ask("GET", "/cluster/ha/status/current").data[-1]["state"] == "recovery"
    double.ask("DELETE", "/cluster/ha/rules/home")
    double.advance(40)
    assert double.world.cluster.guests[100].node != "pve2"


def test_maintenance_empties_a_node_and_lets_things_come_home(double: Double) -> None:
    double.add_guest(100, "pve2", running=True, disk="shared:1")
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    double.advance(20)
    double.faults.maintenance("pve2", True)
    rows = double.ask("GET", "/cluster/resources", type="node").data
    assert next(row for row in rows if row["node"] == "pve2")["hastate"] == "maintenance", "at once"
    double.advance(60)
    assert double.world.cluster.guests[100].node != "pve2"
    double.faults.maintenance("pve2", False)
    double.advance(60)
    assert double.world.cluster.guests[100].node == "pve2"


def test_what_does_not_fail_back_stays_where_a_maintenance_brought_it(double: Double) -> None:
    double.add_guest(100, "pve2", running=True)
    double.ask("POST", "/cluster/ha/resources", sid="ct:100", failback=0)
    guest = double.world.cluster.guests[100]
    double.advance(30)
    double.faults.maintenance("pve2", True)
    double.advance(60)
    there = guest.node
    assert there != "pve2"
    double.faults.maintenance("pve2", False)
    double.advance(120)
    assert (guest.node, guest.running) == (there, True)


def test_a_job_is_turned_round_when_the_new_node_of_a_stolen_guest_looks_at_it(double: Double) -> None:
    double.add_guest(100, "pve1", running=True)
    double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve2", schedule="*/1")
    double.advance(90)
    double.world.cluster.guests[100].node = "pve2"
    row = double.ask("GET", "/cluster/replication").data[0]
    assert (row["source"], row["target"]) == ("pve1", "pve2"), "nobody has looked yet"
    status = double.ask("GET", "/nodes/pve2/replication").data[0]
    assert (status["source"], status["target"], status["last_sync"]) == ("pve2", "pve1", 0)
    assert double.ask("GET", "/cluster/replication").data[0]["target"] == "pve1"


def test_without_a_quorum_reads_answer_and_writes_fail_each_in_its_way(double: Double) -> None:
    double.add_guest(100, disk="local:1")
    double.faults.lose_quorum()
    assert double.ask("GET", "/cluster/status").data[0]["quorate"] == 0
    assert double.ask("GET", "/nodes/pve1/lxc/100/config").status == 200
    assert double.ask("POST", "/nodes/pve1/lxc/100/status/start").reason == "cluster not ready - no quorum?"
    begun = double.world.clock.now()
    pool = double.ask("POST", "/pools", poolid="x")
    assert pool.reason == "create pool failed: cfs-lock 'file-user_cfg' error: no quorum!"
    assert round(double.world.clock.now() - begun) == 10


def test_a_delete_without_quorum_destroys_the_disk_and_leaves_the_config(double: Double) -> None:
    double.add_guest(100, disk="local:1")
    double.faults.lose_quorum()
    ended = double.wait(double.ask("DELETE", "/nodes/pve1/lxc/100").data)
    assert "Permission denied" in ended
    assert double.ask("GET", "/nodes/pve1/lxc/100/config").status == 200
    assert double.ask("GET", "/nodes/pve1/storage/local/content", vmid=100).data == []


def test_a_held_lock_is_waited_for_ten_seconds(double: Double) -> None:
    double.add_guest(100)
    double.faults.hold_guest(100, 60)
    answer = double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=128)
    assert answer.reason == "can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout"
    double.advance(60)
    assert double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=128).status == 200


def test_a_lock_in_the_config_is_named(double: Double) -> None:
    double.add_guest(100)
    double.faults.lock_guest(100, "backup")
    assert double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=128).reason == "CT is locked (backup)"
    assert double.ask("DELETE", "/nodes/pve1/lxc/100", force=1).reason == "CT is locked (backup)"


def test_a_request_is_refused_as_often_as_asked(double: Double) -> None:
    double.faults.add("refuse", "POST /pools", times=2, text="got no worker upid - start worker failed")
    assert [double.ask("POST", "/pools", poolid="x").status for _time in range(3)] == [500, 500, 200]


def test_an_answer_is_lost_after_the_work_was_done(double: Double) -> None:
    double.faults.add("lose-answer", "POST /nodes/*/lxc")
    with pytest.raises(Hangup):
        create(double, 100)
    double.settle()
    assert double.ask("GET", "/nodes/pve1/lxc/100/config").status == 200


def test_a_task_fails_with_the_text_it_was_told(double: Double) -> None:
    double.faults.add("fail-task", "vzcreate", text="zfs error: out of space", params={"vmid": 101})
    assert double.wait(create(double, 100)) == "OK"
    assert double.wait(create(double, 101)) == "zfs error: out of space"


def test_a_write_is_done_and_answered_as_if_it_had_failed(double: Double) -> None:
    double.add_guest(100)
    double.faults.add("half", "PUT /nodes/*/lxc/*/config", text="unable to open file - Input/output error")
    assert double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=128).status == 500
    assert double.ask("GET", "/nodes/pve1/lxc/100/config").data["memory"] == 128


def test_a_task_ends_with_a_warning_or_without_a_last_word(double: Double) -> None:
    double.faults.add("warn-task", "vzcreate", text="something is odd")
    upid = create(double, 100)
    assert double.wait(upid) == "WARNINGS: 1"
    assert double.ask("GET", "/nodes/pve1/tasks", statusfilter="warning").data[0]["upid"] == upid
    double.faults.add("kill-task", "vzcreate")
    assert double.wait(create(double, 101)) == "unexpected status"
    assert double.ask("GET", "/nodes/pve1/lxc/101/config").data["lock"] == "create", "it is left as it was"


def test_somebody_else_is_quicker(double: Double) -> None:
    double.faults.add("race", "POST /nodes/*/lxc")
    answer = double.ask("POST", "/nodes/pve1/lxc", vmid=100, ostemplate=TEMPLATE)
    assert answer.reason == "CT 100 already exists on node 'pve3'"
    double.add_guest(200)
    digest = double.ask("GET", "/nodes/pve1/lxc/200/config").data["digest"]
    double.faults.add("race", "PUT /nodes/*/lxc/200/config")
    assert double.ask("PUT", "/nodes/pve1/lxc/200/config", memory=128, digest=digest).status == 500


def test_a_task_dies_with_its_node(double: Double) -> None:
    upid = create(double, 100, node="pve2")
    double.advance(0.5)
    double.faults.kill("pve2")
    double.faults.revive("pve2")
    assert double.ask("GET", f"/nodes/pve2/tasks/{upid}/status").data["exitstatus"] == "unexpected status"
    assert double.ask("GET", "/nodes/pve2/lxc/100/config").data["lock"] == "create"


def test_a_migration_to_a_node_that_cannot_be_logged_in_to_is_aborted(double: Double) -> None:
    double.add_guest(100)
    double.faults.unreachable("pve2")
    upid = double.ask("POST", "/nodes/pve1/lxc/100/migrate", target="pve2").data
    assert double.wait(upid) == "migration aborted"
    assert double.world.cluster.guests[100].node == "pve1" and not double.world.cluster.guests[100].lock


def test_a_node_dies_in_the_middle_of_a_call(double: Double) -> None:
    double.add_guest(100, "pve2")
    double.faults.add("kill-node", "POST /nodes/*/lxc/*/status/start")
    with pytest.raises(Hangup):
        double.ask("POST", "/nodes/pve2/lxc/100/status/start")
    assert not double.world.cluster.nodes["pve2"].online
    assert [task.status for task in double.world.tasks.all.values()] == ["unexpected status"]


def test_the_quorum_is_lost_between_a_question_and_the_change(double: Double) -> None:
    double.add_guest(100)
    double.faults.add("lose-quorum", "PUT /nodes/*/lxc/*/config")
    assert double.ask("GET", "/cluster/status").data[0]["quorate"] == 1
    assert double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=128).status == 500
    assert double.ask("GET", "/cluster/status").data[0]["quorate"] == 0


def test_a_task_is_stopped_half_way(double: Double) -> None:
    double.faults.add("abort-task", "vzcreate", seconds=0.5)
    assert double.wait(create(double, 100)) == "unexpected status"
    assert double.ask("GET", "/nodes/pve1/lxc/100/config").data["lock"] == "create"


def test_a_task_hangs_and_then_does_its_work(double: Double) -> None:
    double.add_guest(100)
    double.faults.add("hang-task", "vzstart", seconds=600)
    begun = double.world.clock.now()
    assert double.wait(double.ask("POST", "/nodes/pve1/lxc/100/status/start").data) == "OK"
    assert double.world.clock.now() - begun > 600


def test_an_answer_is_cut_off() -> None:
    """Over the network: the head of the answer promises more than comes."""
    with Double(nodes=1, latency=0.001) as double:
        double.faults.add("cut-answer", "GET /version")
        address = urllib.parse.urlsplit(double.endpoints["pve1"])
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        connection.request("GET", "/api2/json/version", headers={"Authorization": f"PVEAPIToken={double.token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        connection.close()
