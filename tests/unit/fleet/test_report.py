# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs are told of nodes and servers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Copying,
    Figures,
    FileSystem,
    Observed,
    ObservedServer,
    Protection,
    Size,
    Statistics,
    Traffic,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.report import nodes as of_nodes
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.report import servers as of_servers
from fleets import fleet, guest, node, seen, server, silent

PBX1, PBX2, PBX3 = server("pbx01", tenant="acme"), server("pbx02"), server("pbx03")
FLEET = fleet([node("node1", failure_domain="rack1"), node("node2")], [PBX1, PBX2, PBX3])
NODES = {"node1": seen("node1"), "node2": seen("node2")}
STRANGER = ObservedServer("theirs", "node1", "running", Size(0, 0, 0), fleet="other", addresses=("10.1.9.9",))
BUSY = Figures(0.5, 300, None, 60.5, 7, (FileSystem("root", 1024, 100),), Traffic(1.5, 2.5, None, None))


def world(*guests: ObservedServer, **nodes: Any) -> Observed:
    return Observed(nodes={**NODES, **nodes}, servers=guests)


def servers(observed: Observed, *parts: str, **more: Any) -> dict[str, dict[str, Any]]:
    statistics = Statistics(servers={("node1", "pbx01"): BUSY})
    rows = of_servers.servers(FLEET, observed, statistics, parts, now=1000.0, **more)
    assert json.loads(json.dumps(rows)) == rows
    return {row["name"]: row for row in rows}


def nodes(observed: Observed, *parts: str) -> dict[str, dict[str, Any]]:
    figures = replace(BUSY, load=(3.0, 2.0, 1.0))
    rows = of_nodes.nodes(FLEET, observed, Statistics(nodes={"node1": figures}), parts, now=1000.0)
    assert json.loads(json.dumps(rows)) == rows
    return {row["name"]: row for row in rows}


def test_a_server_is_told_with_its_place_and_configuration():
    row = servers(world(guest(PBX1, "node1", tenant="acme")))["pbx01"]
    told = (row["node"], row["state"], row["fleet"], row["declared"], row["trouble"])
    assert told == ("node1", "running", "test", True, "")
    assert (row["cpu_cores"], row["memory_mib"], row["disk_mib"], row["tenant"]) == (1, 1024, 1024, "acme")
    assert row["addresses"] == [PBX1.interfaces[0].address]
    assert "uptime_seconds" not in row and "replicas" not in row


def test_what_is_declared_and_not_there_is_absent_with_what_it_is_to_be():
    row = servers(world(), "usage")["pbx02"]
    assert (row["state"], row["node"], row["declared"], row["memory_mib"]) == ("absent", "", True, 1024)
    assert row["uptime_seconds"] is None


def test_a_server_of_ours_that_nobody_declares_is_told_and_marked_so():
    made = guest(server("byhand"), "node2")
    assert servers(world(made))["byhand"]["declared"] is False


def test_strangers_are_told_only_when_asked_for_and_are_never_ours():
    assert "theirs" not in servers(world(STRANGER))
    row = servers(world(STRANGER), strangers=True)["theirs"]
    assert (row["fleet"], row["declared"], row["memory_mib"]) == ("other", False, None)


def test_a_stranger_in_the_place_of_a_server_is_the_trouble_of_that_server():
    rows = of_servers.servers(FLEET, world(replace(STRANGER, name="pbx02")), Statistics(), (), now=0.0, strangers=True)
    mine = [row for row in rows if row["name"] == "pbx02" and row["fleet"] == "test"]
    assert [row["state"] for row in mine] == ["absent"]
    assert "the name is taken on node1" in mine[0]["trouble"]


def test_two_copies_that_both_call_themselves_primary_are_both_told_with_their_trouble():
    observed = world(guest(PBX1, "node1"), guest(PBX1, "node2", state="stopped"))
    rows = [row for row in of_servers.servers(FLEET, observed, Statistics(), (), now=0.0) if row["name"] == "pbx01"]
    assert [row["node"] for row in rows] == ["node1", "node2"]
    assert all("2 copies call themselves primary" in row["trouble"] for row in rows)


def test_an_outdated_copy_is_not_told_as_a_server():
    observed = world(guest(PBX1, "node1", generation=2), guest(PBX1, "node2", state="stopped"))
    rows = [row for row in of_servers.servers(FLEET, observed, Statistics(), (), now=0.0) if row["name"] == "pbx01"]
    assert [row["node"] for row in rows] == ["node1"]


def test_figures_have_their_units_in_their_names_and_null_where_nobody_can_tell():
    rows = servers(world(guest(PBX1, "node1"), guest(PBX2, "node2")), "usage", "throughput")
    row = rows["pbx01"]
    assert (row["cpu_used_cores"], row["memory_used_mib"], row["uptime_seconds"], row["processes"]) == (
        0.5,
        300,
        60.5,
        7,
    )
    assert row["file_systems"] == [{"name": "root", "size_mib": 1024, "used_mib": 100}]
    assert row["network_receive_bytes_per_second"] == 1.5
    assert row["disk_read_bytes_per_second"] is None
    assert rows["pbx02"]["cpu_used_cores"] is None


def test_a_replicas_age_is_counted_from_its_last_good_refresh():
    copy = guest(PBX1, "node2", role="replica", state="stopped", copying=Copying(60, 990.0, 2, "no route"))
    kept = Protection(nodes=("node2",), trouble="look at it")
    row = servers(world(guest(PBX1, "node1", protection=kept), copy), "replicas")["pbx01"]
    (replica,) = row["replicas"]
    assert (replica["node"], replica["age_seconds"], replica["interval_seconds"]) == ("node2", 10.0, 60)
    assert (replica["complete"], replica["failures"], replica["failure"]) == (True, 2, "no route")
    assert (row["failover_nodes"], row["failover_trouble"]) == (["node2"], "look at it")


def test_how_a_replicas_refreshes_went_is_told_with_its_server_and_with_its_node():
    kept = Copying(60, 990.0, 2, "no route", took=1.5, tried=998.0, changing=3.5)
    copy = guest(PBX1, "node2", role="replica", state="stopped", copying=kept)
    told = {
        "complete": True,
        "age_seconds": 10.0,
        "interval_seconds": 60,
        "refresh_seconds": 1.5,
        "disk_mib": copy.size.disk,
        "changing_mib": 3.5,
        "failures": 2,
        "failed_seconds_ago": 2.0,
        "failure": "no route",
    }
    seen_now = world(guest(PBX1, "node1"), copy)
    assert servers(seen_now, "replicas")["pbx01"]["replicas"] == [{"node": "node2", **told}]
    assert nodes(seen_now, "servers")["node2"]["replicas_kept"] == [{"server": "pbx01", **told}]


def test_a_replica_that_was_never_whole_has_no_age():
    copy = guest(PBX1, "node2", role="replica", state="stopped", copying=Copying(60))
    (replica,) = servers(world(guest(PBX1, "node1"), copy), "replicas")["pbx01"]["replicas"]
    assert (replica["complete"], replica["age_seconds"]) == (False, None)


def test_a_node_is_told_with_what_it_has_and_has_promised():
    row = nodes(world(guest(PBX1, "node1"), guest(PBX2, "node1", state="stopped")), "capacity", "servers")["node1"]
    assert (row["state"], row["takes_servers"], row["failure_domain"]) == ("active", True, "rack1")
    assert (row["cpu_cores"], row["usable_cpu_cores"], row["promised_cpu_cores"]) == (8, 8, 2)
    assert (row["promised_memory_mib"], row["promised_disk_mib"]) == (2048, {"default": 2048})
    assert row["pools"] == [{"name": "default", "size_mib": 8192, "used_mib": None}]
    assert (row["servers"], row["servers_running"], row["strangers"]) == (["pbx01", "pbx02"], 1, [])


def test_a_node_that_is_drained_or_silent_takes_no_servers():
    rows = nodes(world(node1=seen("node1", maintenance=True), node2=silent("node2")))
    assert (rows["node1"]["state"], rows["node1"]["takes_servers"]) == ("maintenance", False)
    assert (rows["node2"]["state"], rows["node2"]["error"]) == ("offline", "timed out")
    assert rows["node2"]["takes_servers"] is False


def test_a_node_only_the_platform_knows_comes_last_and_takes_nobody():
    rows = nodes(world(node0=seen("node0")), "capacity")
    assert list(rows) == ["node1", "node2", "node0"]
    assert (rows["node0"]["declared"], rows["node0"]["takes_servers"]) == (False, False)
    assert "promised_memory_mib" not in rows["node0"]


def test_a_nodes_load_is_the_statistics_or_else_what_was_observed():
    rows = nodes(world(node2=seen("node2", load=0.25, memory_used=700)), "usage")
    assert [rows["node1"][f"load_{minutes}min"] for minutes in (1, 5, 15)] == [3.0, 2.0, 1.0]
    assert (rows["node2"]["load_1min"], rows["node2"]["load_5min"]) == (0.25, None)
    assert (rows["node1"]["memory_used_mib"], rows["node2"]["memory_used_mib"]) == (300, 700)
