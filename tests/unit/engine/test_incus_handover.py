# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on the two copies of a server that moves."""

from __future__ import annotations

from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import handover
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Network, Node

N1, N2 = Node("n1", "192.0.2.1", bridge="vmbr0"), Node("n2", "192.0.2.2", bridge="br-lan")
FLEET = Fleet("prod", "incus", {"n1": N1, "n2": N2}, {}, networks={"voice": Network("voice", "", bridge="vmbr1")})
RAW: dict[str, Any] = {
    "architecture": "x86_64",
    "description": "a PBX",
    "ephemeral": False,
    "profiles": [],
    "status": "Running",
    "config": {
        "limits.memory": "64MiB",
        "user.switchyard.role": "primary",
        "user.switchyard.generation": "3",
        "user.switchyard.tenant": "acme",
        "volatile.uuid": "u",
        "volatile.cloud-init.instance-id": "c",
        "volatile.eth1.hwaddr": "00:16:3e:00:00:01",
        "volatile.eth0.host_name": "veth1",
        "volatile.last_state.power": "RUNNING",
        "volatile.idmap.next": "[]",
    },
    "devices": {
        "root": {"type": "disk", "path": "/", "pool": "fast", "size": "1GiB"},
        "eth0": {"type": "nic", "nictype": "bridged", "parent": "vmbr0", "hwaddr": "02:00:00:00:00:01"},
        "eth1": {"type": "nic", "nictype": "bridged", "parent": "vmbr1"},
    },
}


def test_a_copy_is_the_same_guest_asleep_on_the_bridges_of_its_node() -> None:
    body = handover.replica(RAW, N1, N2, FLEET)
    assert body["devices"]["eth0"] == {**RAW["devices"]["eth0"], "parent": "br-lan"}
    assert body["devices"]["eth1"] == RAW["devices"]["eth1"]
    assert body["devices"]["root"] == RAW["devices"]["root"]
    config = body["config"]
    assert (config["user.switchyard.role"], config["user.switchyard.generation"]) == ("replica", "3")
    assert config["boot.autostart"] == "false"
    assert config["user.switchyard.tenant"] == "acme"
    assert handover.other_node(config) == "n1"


def test_what_a_guest_is_known_by_goes_with_it_and_what_its_node_noted_does_not() -> None:
    config = handover.replica(RAW, N1, N2, FLEET)["config"]
    volatile = {key for key in config if key.startswith("volatile.")}
    assert volatile == {"volatile.uuid", "volatile.cloud-init.instance-id", "volatile.eth1.hwaddr"}


def test_a_promoted_copy_is_an_ordinary_server_again() -> None:
    config = {**handover.replica(RAW, N1, N2, FLEET)["config"], **handover.promoted(4)}
    told = {key: value for key, value in config.items() if value}
    assert told["user.switchyard.role"] == "primary"
    assert told["user.switchyard.generation"] == "4"
    assert "boot.autostart" not in told
    assert handover.other_node(config) == ""


def test_one_that_leaves_remembers_where_to_and_whether_it_ran() -> None:
    for running in (True, False):
        keys = handover.leaving("n2", running=running)
        assert (handover.other_node(keys), handover.ran(keys)) == ("n2", running)
    assert handover.other_node(handover.STAYS) == ""
    assert not handover.ran({})


def test_a_copy_made_earlier_is_renewed_only_where_something_differs() -> None:
    wanted = handover.replica(RAW, N1, N2, FLEET)
    there = {**wanted, "config": {**wanted["config"], "volatile.apply_template": "copy"}}
    assert handover.renewed(there, wanted) is None
    grown = {**wanted, "config": {**wanted["config"], "limits.memory": "128MiB"}}
    body = handover.renewed(there, grown)
    assert body is not None
    assert body["config"]["limits.memory"] == "128MiB"
    assert body["config"]["volatile.apply_template"] == "copy"


def test_a_disk_of_its_node_ties_a_guest_to_it() -> None:
    assert handover.tied(RAW) == ""
    data = {"type": "disk", "path": "/data", "source": "/srv/data"}
    assert "device data is a disk of this node (/srv/data)" in handover.tied(
        {**RAW, "devices": {**RAW["devices"], "data": data}}
    )
    dongle = {"type": "usb", "vendorid": "1234"}
    assert handover.tied({**RAW, "devices": {**RAW["devices"], "dongle": dongle}}) == ""
