# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The road from an inventory to running servers, on real nodes."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest

pytestmark = pytest.mark.lab


def changed(output):
    """Tasks that changed something, from the recap."""
    return sum(int(count) for count in re.findall(r"changed=(\d+)", output))


def requests(output):
    return int(re.search(r"requests=(\d+)", output).group(1))


def names(first, last):
    return {f"pbx{number:02}": {} for number in range(first, last + 1)}


def test_site_brings_servers_up_that_answer_with_their_own_names(world):
    world.declare(names(1, 6))
    output = world.play("site")
    assert set(world.running()) == set(names(1, 6))
    answers = dict(re.findall(r"^(pbx\d+) .* http://([\d.]+):80/ \d+ ms", output, re.MULTILINE))
    assert set(answers) == set(names(1, 6))
    for name, address in answers.items():
        page = urllib.request.urlopen(f"http://{address}/", timeout=5).read().decode()
        assert name in page


def test_servers_spread_over_the_nodes(world):
    world.declare(names(1, 6))
    world.apply()
    assert sorted(world.running().values()) == sorted(world.nodes * 2)


def test_a_second_site_run_changes_nothing(world):
    world.declare(names(1, 3))
    world.play("site")
    assert changed(world.play("site")) == 0


def test_the_requests_of_a_converged_run_do_not_grow_with_the_servers(world):
    world.declare(names(1, 2))
    world.apply()
    few = requests(world.apply())
    world.declare(names(1, 12))
    world.apply()
    assert requests(world.apply()) == few


def test_a_server_keeps_its_address_whatever_comes_and_goes(world):
    def addresses():
        listed = [json.loads(world.lab.ssh(node, "incus", "list", "-f", "json")) for node in world.nodes]
        return {guest["name"]: guest["config"]["user.switchyard.network"] for found in listed for guest in found}

    world.declare(names(3, 5))
    world.apply()
    before = addresses()
    world.declare({**names(1, 4), **names(6, 9)})
    world.apply(apply_prune=["pbx05"])
    after = addresses()
    assert {name: after[name] for name in ("pbx03", "pbx04")} == {name: before[name] for name in ("pbx03", "pbx04")}
    assert len(set(after.values())) == 8


def test_a_new_size_reaches_the_guest_and_a_second_run_finds_it_there(world):
    world.declare({"pbx01": {}})
    world.apply()
    world.declare({"pbx01": {"vs_memory": "48MiB", "vs_cores": 2, "vs_disk": "96MiB"}})
    output = world.apply("--diff")
    assert "-memory: 32" in output
    assert "+memory: 48" in output
    (node,) = world.running().values()
    assert world.lab.ssh(node, "incus", "config", "get", "pbx01", "limits.memory").strip() in ("48MiB", "50331648")
    assert changed(world.apply()) == 0


def test_a_disk_that_should_shrink_is_refused_before_anything_is_done(world):
    world.declare({"pbx01": {}})
    world.apply()
    world.declare({"pbx01": {"vs_disk": "32MiB"}, "pbx02": {}})
    assert "a disk cannot shrink" in world.apply(check=False)
    assert set(world.running()) == {"pbx01"}


def test_servers_are_stopped_and_started_as_declared(world):
    world.declare(names(1, 2))
    world.apply()
    world.declare({"pbx01": {"vs_state": "stopped"}, "pbx02": {}})
    world.apply()
    assert set(world.running()) == {"pbx02"}
    world.declare(names(1, 2))
    world.apply()
    assert set(world.running()) == {"pbx01", "pbx02"}


def test_servers_start_in_their_order(world):
    world.declare({"pbx01": {"vs_start_order": 20}, "pbx02": {"vs_start_order": 10}, "pbx03": {"vs_start_order": 30}})
    output = world.apply()
    assert re.findall(r"start (pbx\d+) on \S+ … ok", output) == ["pbx02", "pbx01", "pbx03"]


def test_anti_affinity_and_pins_hold_on_real_nodes(world):
    pinned = world.nodes[-1]
    world.declare({"pbx01": {"vs_anti_affinity": "pbx02"}, "pbx02": {}, "pbx03": {"vs_node": pinned}})
    world.apply()
    where = world.running()
    assert where["pbx01"] != where["pbx02"]
    assert where["pbx03"] == pinned


def test_a_new_address_waits_for_leave_to_restart(world):
    old, new = f"{world.prefix}.201", f"{world.prefix}.202"
    world.declare({"pbx01": {"vs_address": old}})
    world.apply()
    world.declare({"pbx01": {"vs_address": new}})
    assert "needs a restart" in world.apply()
    assert urllib.request.urlopen(f"http://{old}/", timeout=5).status == 200
    world.apply(apply_restart=True)
    assert urllib.request.urlopen(f"http://{new}/", timeout=5).status == 200


def test_prune_deletes_what_left_the_inventory_and_nothing_else(world):
    world.declare(names(1, 3))
    world.apply()
    world.declare(names(1, 1))
    assert "left alone" in world.apply()
    assert set(world.running()) == set(names(1, 3))
    world.apply(apply_prune=["pbx02"])
    assert set(world.running()) == {"pbx01", "pbx03"}


def test_a_saved_plan_is_carried_out_as_it_was_read(world, tmp_path):
    plan = tmp_path / "plan.json"
    world.declare(names(1, 3))
    world.play("plan", plan_save=str(plan))
    assert world.running() == {}
    world.apply(apply_plan=str(plan))
    assert world.running() == json.loads(plan.read_text())["placement"]


def test_a_saved_plan_is_refused_when_the_fleet_has_changed(world, tmp_path):
    plan = tmp_path / "plan.json"
    world.declare(names(1, 3))
    world.play("plan", plan_save=str(plan))
    world.declare(names(1, 1))
    world.apply()
    world.declare(names(1, 3))
    assert "does not fit any more" in world.apply(check=False, apply_plan=str(plan))
    assert set(world.running()) == {"pbx01"}
