# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong, and what the operator is told: one clear error, nothing lost, and the next run goes on."""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.disturb import begun, kill, power_cut, standing_still

APPLY = Path(__file__).with_name("apply.yml")

pytestmark = pytest.mark.lab


def names(first, last):
    return {f"pbx{number:02}": {} for number in range(first, last + 1)}


@contextmanager
def stranger(world, node, name, *options):
    """A guest nobody of us made, in a fleet that has no server yet."""
    # The template gets to a node with the first server there.
    world.declare({"first": {"vs_node": node}})
    world.apply()
    world.declare()
    world.apply(apply_prune=["all"])
    world.lab.ssh(node, "incus", "launch", "-q", "switchyard/tiny/1", name, "-s", "default", *options)
    try:
        yield
        listed = world.lab.ssh(node, "incus", "list", "-f", "csv", "-c", "ns", name).strip()
        assert listed == f"{name},RUNNING", "a stranger was touched"
    finally:
        world.lab.ssh(node, "incus", "delete", "-f", name)


# ---------------------------------------------------------------- bad wishes


def test_a_server_too_big_for_every_node_stops_everything_before_it_begins(world):
    world.declare({"pbx01": {}, "big": {"vs_memory": "5GiB"}, "huge": {"vs_memory": "9GiB"}})
    output = world.apply(check=False)
    assert "huge" in output
    assert "8GiB" in output or "8192" in output
    assert world.running() == {}


def test_every_mistake_of_an_inventory_is_told_at_once(world):
    world.fleet["fleet_clases"] = {}
    world.declare(
        {
            "pbx01": {"vs_memory": "12 potatoes"},
            "pbx02": {"vs_clas": "pbx"},
            "pbx03": {"vs_node": "node9"},
            "pbx04": {"vs_address": "192.0.2.7"},
            "pbx05": {"vs_template": "{{ not_there }}"},
        }
    )
    output = world.apply(check=False)
    assert "6 mistakes in the inventory; nothing has been changed" in output
    for words in ("fleet_clases", "12 potatoes", "vs_clas", "node9", "192.0.2.7", "not_there"):
        assert words in output


def test_a_wrong_inventory_ends_site_before_any_node_is_contacted(world):
    world.declare({"pbx01": {"vs_memory": "12 potatoes"}})
    output = world.play("site", check=False)
    assert "12 potatoes" in output
    assert "Install the nodes" not in output


def test_a_template_nobody_built_is_refused(world):
    world.fleet["fleet_templates"] = {"tiny": {"build": "busybox"}, "later": {"build": "busybox", "version": "7"}}
    world.declare({"pbx01": {"vs_template": "later"}})
    output = world.apply(check=False)
    assert "template later" in output
    assert "version 7 is on no node that answers" in output
    assert world.running() == {}


# ---------------------------------------------------------------- strangers


def test_a_strangers_name_is_not_taken(world):
    with stranger(world, world.nodes[1], "pbx01"):
        world.declare(names(1, 2))
        output = world.apply(check=False)
        assert "the name is taken on node2 by a guest that is not ours" in output
        assert set(world.running()) == {"pbx01"}


def test_an_address_a_stranger_answers_on_is_refused(world):
    address = f"{world.prefix}.210"
    world.declare({"pbx01": {"vs_address": address}, "pbx02": {}})
    with _at(world, address):
        output = world.apply(check=False)
        assert f"address {address} is in use by somebody unknown" in output
        assert world.running() == {}


@contextmanager
def _at(world, address):
    """Somebody on the network, outside every node, who has this address."""
    world.lab.ssh("node1", "ip", "address", "add", f"{address}/32", "dev", "vmbr0")
    try:
        yield
    finally:
        world.lab.ssh("node1", "ip", "address", "delete", f"{address}/32", "dev", "vmbr0")


def test_prune_of_everything_spares_strangers(world):
    with stranger(world, "node2", "alien"):
        world.declare(names(1, 1))
        world.apply()
        world.declare()
        world.apply(apply_prune=["all"])
        assert set(world.running()) == {"alien"}


# ---------------------------------------------------------------- nodes that fail


def test_a_dead_node_costs_its_servers_and_nobody_elses(world):
    world.declare(names(1, 3))
    world.apply()
    where = world.running()
    with power_cut(world, "node2"):
        world.declare(names(1, 6))
        output = world.apply()
        assert "node2 does not answer" in output
        lost = {name for name, node in where.items() if node == "node2"}
        now = {name: node for name, node, state in _guests_of(world, "node1", "node3") if state == "Running"}
        assert set(now) == set(names(1, 6)) - lost
    world.apply()
    assert set(world.running()) == set(names(1, 6))


def _guests_of(world, *nodes):
    listed = {node: world.lab.ssh(node, "incus", "list", "-f", "csv", "-c", "ns") for node in nodes}
    return [
        (name, node, state.capitalize())
        for node, text in listed.items()
        for name, state in (line.split(",") for line in text.splitlines())
    ]


def test_without_a_majority_nothing_is_changed(world):
    with power_cut(world, "node2"), power_cut(world, "node3"):
        world.declare(names(1, 1))
        output = world.apply(check=False)
        assert "too few nodes answer to be sure of anything" in output
        assert _guests_of(world, "node1") == []


def test_a_node_with_another_certificate_is_not_spoken_to(world):
    world.declare(names(1, 3))
    restart = "systemctl restart incus && incus admin waitready --timeout 60"
    world.lab.ssh(
        "node2", f"cd /var/lib/incus && cp -a server.crt server.key /root/ && rm server.crt server.key && {restart}"
    )
    try:
        output = world.apply(check=False)
        assert "node2" in output
        assert "another certificate than the known one" in output
        assert "node_accept_certificate" in output
        assert _guests_of(world, "node1", "node3") == []
    finally:
        world.lab.ssh("node2", f"cp -a /root/server.crt /root/server.key /var/lib/incus/ && {restart}")


# ---------------------------------------------------------------- runs that end early, or meet


def test_an_apply_that_was_killed_is_simply_run_again(world):
    world.declare(names(1, 24))
    process, _seen = begun(world, APPLY, r"\[ *5/")
    kill(process, world.inventory)
    output = world.apply()
    assert "taking over the lock" in output
    assert set(world.running()) == set(names(1, 24))


def test_an_apply_that_was_interrupted_lets_go_of_the_fleet_and_is_run_again(world):
    world.declare(names(1, 24))
    process, _seen = begun(world, APPLY, r"\[ *5/")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    running = world.running()
    assert len(running) < 24
    output = world.apply()
    assert "taking over" not in output
    assert set(world.running()) == set(names(1, 24))


def test_of_two_runs_at_once_the_second_is_told_who_holds_the_fleet(world):
    world.declare(names(1, 24))
    process, seen = begun(world, APPLY, r"\[ *2/")
    # However fast the nodes are, the first is still at work when the second comes.
    with standing_still(world.inventory):
        output = world.apply(check=False)
    first, _nothing = process.communicate()
    assert process.returncode == 0, "".join(seen) + first
    assert re.search(r"fleet test is held by \S+@\S+ \(process \d+, apply converge\) since .* UTC", output)
    assert "apply_break_lock=" in output
    assert set(world.running()) == set(names(1, 24))


def test_an_engine_that_restarts_in_the_middle_ends_in_an_error_or_not_at_all(world):
    world.declare(names(1, 24))
    process, _seen = begun(world, APPLY, r"\[ *4/")
    world.lab.ssh("node1", "systemctl", "restart", "incus")
    rest, _nothing = process.communicate()
    if process.returncode:
        assert "run again to go on from here" in rest
    world.apply()
    assert set(world.running()) == set(names(1, 24))
