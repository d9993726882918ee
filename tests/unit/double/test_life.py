# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests come, run, move and go; each step in the words and with the delays of the real thing."""

from __future__ import annotations

from double import Double

TEMPLATE = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"


def create(double: Double, vmid: int, node: str = "pve1", **more: object) -> str:
    answer = double.ask("POST", f"/nodes/{node}/lxc", vmid=vmid, ostemplate=TEMPLATE, rootfs="local-zfs:2", **more)
    assert answer.status == 200, answer
    return str(answer.data)


def state(double: Double, vmid: int) -> dict[str, object]:
    rows = double.ask("GET", "/cluster/resources", type="vm").data
    return next(row for row in rows if row["vmid"] == vmid)


def test_a_container_is_created_started_and_seen_some_seconds_later(double: Double) -> None:
    upid = create(double, 100, start=1, hostname="pbx-001", tags="Two;one")
    assert state(double, 100) == {
        "id": "lxc/100", "vmid": 100, "type": "lxc", "node": "pve1", "lock": "create", "status": "unknown"
    }  # fmt: skip
    assert double.wait(upid) == "OK"
    double.advance(20)
    row = state(double, 100)
    assert (row["status"], row["name"], row["tags"]) == ("running", "pbx-001", "one;two")
    kinds = [task["type"] for task in double.ask("GET", "/nodes/pve1/tasks", vmid=100).data]
    assert kinds == ["vzstart", "vzcreate"], "the start is a task of its own"


def test_a_stopped_container_still_seems_to_run_for_a_while(double: Double) -> None:
    double.add_guest(100, running=True)
    double.wait(double.ask("POST", "/nodes/pve1/lxc/100/status/stop").data)
    assert state(double, 100)["status"] == "running"
    double.advance(11)
    assert state(double, 100)["status"] == "stopped"


def test_what_is_refused_at_once_and_what_only_by_its_task(double: Double) -> None:
    missing = double.ask("POST", "/nodes/pve1/lxc/404/status/start")
    assert missing.status == 200, "starting a guest that is not there returns a task"
    assert double.wait(missing.data) == "Configuration file 'nodes/pve1/lxc/404.conf' does not exist"
    double.add_guest(100, running=True)
    double.add_guest(200, kind="qemu", running=True, disk="shared:1/qcow2")
    again = double.ask("POST", "/nodes/pve1/lxc/100/status/start")
    assert (again.status, again.reason) == (500, "CT 100 already running")
    assert double.wait(double.ask("POST", "/nodes/pve1/qemu/200/status/start").data) == "VM 200 already running"


def test_a_running_container_moves_with_a_restart_only(double: Double) -> None:
    double.add_guest(100, running=True)
    plain = double.ask("POST", "/nodes/pve1/lxc/100/migrate", target="pve2")
    assert plain.reason == "can't migrate running container without --online or --restart"
    online = double.ask("POST", "/nodes/pve1/lxc/100/migrate", target="pve2", online=1)
    assert double.wait(online.data) == "migration aborted"
    lines = [line["t"] for line in double.ask("GET", f"/nodes/pve1/tasks/{online.data}/log").data]
    assert "lxc live migration is currently not implemented" in lines[0]
    assert double.wait(double.ask("POST", "/nodes/pve1/lxc/100/migrate", target="pve2", restart=1).data) == "OK"
    guest = double.world.cluster.guests[100]
    assert (guest.node, guest.running) == ("pve2", True)
    assert double.world.cluster.volume("local-zfs:subvol-100-disk-0", "pve1") is None


def test_a_vm_moves_live_with_its_local_disks_when_asked_to(double: Double) -> None:
    double.add_guest(200, kind="qemu", running=True, disk="local:1/qcow2")
    asked = double.ask("GET", "/nodes/pve1/qemu/200/migrate", target="pve2").data
    assert asked["running"] == 1 and [disk["volid"] for disk in asked["local_disks"]] == [
        "local:200/vm-200-disk-0.qcow2"
    ]
    without = double.ask("POST", "/nodes/pve1/qemu/200/migrate", target="pve2", online=1)
    assert double.wait(without.data) == "migration aborted"
    with_disks = double.send(
        "POST", "/nodes/pve1/qemu/200/migrate", {"target": "pve2", "online": 1, "with-local-disks": 1}
    )
    assert double.wait(with_disks.data) == "OK"
    assert double.world.cluster.guests[200].running


def test_a_config_is_written_with_a_digest_and_refused_with_an_old_one(double: Double) -> None:
    double.add_guest(100)
    digest = double.ask("GET", "/nodes/pve1/lxc/100/config").data["digest"]
    assert double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=128, digest=digest).status == 200
    stale = double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=256, digest=digest)
    assert stale.reason == "detected modified configuration - file changed by other user? Try again."
    assert double.ask("GET", "/nodes/pve1/lxc/100/config").data["memory"] == 128


def test_what_a_running_guest_does_not_take_waits_for_its_restart(double: Double) -> None:
    double.add_guest(200, kind="qemu", running=True, disk="shared:1/qcow2")
    double.ask("PUT", "/nodes/pve1/qemu/200/config", memory=512)
    pending = {row["key"]: row for row in double.ask("GET", "/nodes/pve1/qemu/200/pending").data}
    assert pending["memory"] == {"key": "memory", "value": "128", "pending": "512"}
    assert double.wait(double.ask("POST", "/nodes/pve1/qemu/200/status/reboot").data) == "OK"
    assert double.ask("GET", "/nodes/pve1/qemu/200/config", current=1).data["memory"] == "512"


def test_an_unknown_bridge_is_refused_and_written_all_the_same(double: Double) -> None:
    double.add_guest(100)
    answer = double.ask("PUT", "/nodes/pve1/lxc/100/config", memory=99, net0="name=eth0,bridge=vmbr9")
    assert (answer.status, answer.reason) == (500, "bridge 'vmbr9' does not exist")
    config = double.ask("GET", "/nodes/pve1/lxc/100/config").data
    assert config["memory"] == 99 and "bridge=vmbr9" in config["net0"]


def test_a_guest_with_jobs_goes_with_purge_only(double: Double) -> None:
    double.add_guest(100)
    double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve2")
    double.ask("POST", "/cluster/ha/resources", sid="ct:100", state="stopped")
    refused = double.ask("DELETE", "/nodes/pve1/lxc/100")
    assert refused.reason == "unable to remove CT 100 - used in HA resources and purge parameter not set."
    assert double.wait(double.ask("DELETE", "/nodes/pve1/lxc/100", purge=1).data) == "OK"
    assert double.ask("GET", "/cluster/replication").data == []
    assert double.ask("GET", "/cluster/ha/resources").data == []


def test_a_replica_takes_over_where_its_guest_goes_and_leads_back(double: Double) -> None:
    double.add_guest(100)
    double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve2", schedule="*/1")
    double.advance(130)
    row = double.ask("GET", "/nodes/pve1/replication/100-0/status").data
    assert row["fail_count"] == 0 and row["last_sync"] > 0
    double.wait(double.ask("POST", "/nodes/pve1/lxc/100/migrate", target="pve2").data)
    (job,) = double.ask("GET", "/cluster/replication").data
    assert (job["source"], job["target"]) == ("pve2", "pve1")


def test_a_job_that_is_removed_is_there_for_up_to_a_minute(double: Double) -> None:
    double.add_guest(100)
    double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve2")
    double.ask("DELETE", "/cluster/replication/100-0")
    assert [job["remove_job"] for job in double.ask("GET", "/cluster/replication").data] == ["full"]
    again = double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve2")
    assert again.reason == "replication job '100-0' already exists"
    double.advance(70)
    assert double.ask("GET", "/cluster/replication").data == []


def test_under_ha_a_call_only_passes_the_wish_on(double: Double) -> None:
    double.add_guest(100, running=True)
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    double.advance(20)
    since = double.world.cluster.now
    upid = double.ask("POST", "/nodes/pve1/lxc/100/migrate", target="pve2", restart=1).data
    assert ":hamigrate:" in upid and double.wait(upid) == "OK"
    assert double.world.cluster.guests[100].node == "pve1", "not yet"
    double.advance(60)
    assert double.world.cluster.guests[100].node == "pve2" and double.world.cluster.guests[100].running
    kinds = [task["type"] for task in double.ask("GET", "/nodes/pve1/tasks", vmid=100, since=since, source="all").data]
    assert kinds == ["vzmigrate", "vzshutdown", "hamigrate"]


def test_an_agent_tells_of_networks_what_cloud_init_was_told(double: Double) -> None:
    guest = double.add_guest(
        200, kind="qemu", running=True, disk="shared:1/qcow2", agent="1", ipconfig0="ip=10.0.0.5/24"
    )
    guest.config["net0"] = "virtio=BC:24:11:00:00:01,bridge=vmbr0"
    path = "/nodes/pve1/qemu/200/agent/network-get-interfaces"
    assert double.ask("GET", path).reason == "QEMU guest agent is not running"
    guest.agent = True
    cards = double.ask("GET", path).data["result"]
    assert cards[1]["ip-addresses"] == [{"ip-address": "10.0.0.5", "ip-address-type": "ipv4", "prefix": 24}]


def test_version_8_has_groups_and_no_rules() -> None:
    with Double(nodes=3, version="8.4", manual=1_800_000_000.0, listen=False) as double:
        assert double.ask("GET", "/version").data["release"] == "8.4"
        assert double.ask("GET", "/cluster/ha/rules").status == 501
        assert double.ask("POST", "/cluster/ha/groups", group="both", nodes="pve1:2,pve2:1", restricted=1).status == 200
        double.add_guest(100)
        assert double.ask("POST", "/cluster/ha/resources", sid="ct:100", group="both").status == 200
        assert double.ask("GET", "/cluster/ha/resources").data[0]["group"] == "both"
        double.advance(60)
        assert double.world.cluster.guests[100].node == "pve1"
        double.ask("PUT", "/cluster/ha/groups/both", nodes="pve2")
        double.advance(60)
        assert double.world.cluster.guests[100].node == "pve2", "a group draws its members"


def test_version_8_does_the_everyday_things_too() -> None:
    with Double(nodes=3, version="8.4", manual=1_800_000_000.0, latency=1.0, listen=False) as double:
        double.wait(create(double, 100, start=1))
        double.advance(10)
        assert double.ask("POST", "/cluster/replication", id="100-0", type="local", target="pve2").status == 200
        assert double.ask("PUT", "/cluster/replication/100-0", schedule="*/5").status == 200
        for path, params in {
            "snapshot": {"snapname": "before"},
            "migrate": {"target": "pve2", "restart": 1},
        }.items():
            assert double.wait(double.send("POST", f"/nodes/pve1/lxc/100/{path}", params).data) == "OK", path
        (row,) = double.ask("GET", "/cluster/resources", type="vm").data
        assert (row["node"], "memhost" in row) == ("pve2", False)
        assert double.ask("GET", "/nodes/pve2/lxc/100/migrate").status == 501, "asking beforehand came with version 9"
        assert double.ask("POST", "/access/roles", roleid="Old", privs="VM.Monitor").status == 200
        assert double.ask("POST", "/access/roles", roleid="New", privs="VM.GuestAgent.Audit").status == 400


def test_version_9_has_rules_and_no_groups(double: Double) -> None:
    double.add_guest(100)
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    assert (
        double.ask("GET", "/cluster/ha/groups").reason == "cannot index groups: ha groups have been migrated to rules"
    )
    made = double.ask(
        "POST", "/cluster/ha/rules", rule="home", type="node-affinity", resources="ct:100", nodes="pve2", strict=1
    )
    assert made.status == 200
    double.advance(60)
    assert double.world.cluster.guests[100].node == "pve2", "a strict rule moves what is elsewhere"
