# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas on real nodes, kept by the nodes themselves: on time, within their slots, and through whatever happens to
nodes and disks. One fleet for all of it, each test from wherever the one before has left it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import numbers, replicas
from support.guarded import GuardedFleet, until
from support.lab import Lab
from support.numbers import Writer

pytestmark = [pytest.mark.lab, pytest.mark.long]

APPLY = Path(__file__).with_name("apply.yml")
HOME, BACKUP, OTHER = "node1", "node2", "node3"
MANY = [f"rep{number:02}" for number in range(1, 13)]
FULL = "repfull"
SLOTS = 2
_NO_SMALL = "incus storage delete small; umount /srv/small"
LATE = 3.0
"""Intervals a replica may be old here, where a dozen of them share two slots of a small machine."""


def pace() -> float:
    """How many times longer than by itself everything takes, as others want this machine's cores too."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedFleet]:
    """A dozen servers on one node, refreshed every ten seconds on another; and one on disks that are easily full."""
    fleet = GuardedFleet(
        lab,
        tmp_path_factory.mktemp("replicas"),
        fleet_name="replicas",
        node_storage_pools=[{"name": "default"}, {"name": "small", "source": "/srv/small/pool"}],
        node_pools={"default": "8GiB", "small": "1GiB"},
        replication_slots=SLOTS,
        replication_bandwidth="8MiB",
    )
    for node in fleet.nodes:
        fleet.outside.console(node, "sh", "-ec", "mkdir -p /srv/small; mount -t tmpfs -o size=24m small /srv/small")
        fleet.outside.console(node, "mkdir", "/srv/small/pool")
    declare(fleet)
    output = fleet.play("site")
    assert f"replicate {FULL}" in output
    yield fleet
    fleet.outside.restore_power(*fleet.nodes)
    for node in fleet.nodes:
        wait(lambda node=node: fleet.outside.console(node, "incus", "list", check=False), 60)
    fleet.sweep()
    fleet.servers = {}
    fleet.write()
    fleet.play(APPLY, apply_prune=["all"])
    for node in fleet.nodes:
        # Tests after this one have another fleet on these nodes, and a node has one agent.
        remove = (
            "systemctl disable --now switchyard-replicas.timer switchyard-settle.timer switchyard-changing.timer; "
            "systemctl stop switchyard-replicas.service switchyard-settle.service switchyard-changing.service; "
            "rm -rf /etc/switchyard"
        )
        fleet.outside.console(
            node, "sh", "-c", f"{remove}; incus storage unset default rsync.bwlimit; {_NO_SMALL}; true"
        )


def wait(what: Callable[[], object], seconds: float, words: Callable[[], object] = str, pause: float = 0.25) -> None:
    """Wait for something to be true, for so many seconds of a machine of our own."""
    until(what, seconds * pace(), words, pause)


def declare(fleet: GuardedFleet, backup: str = BACKUP, *, full: bool = True, **differing: str) -> None:
    """Everything lives on one node, with its replicas on another; ``differing``: server -> its interval."""
    servers = {
        name: {"vs_failover": "manual", "vs_node": HOME, "vs_replication": differing.get(name, "10s")} for name in MANY
    }
    if full:
        servers[FULL] = {"vs_failover": "manual", "vs_node": HOME, "vs_pool": "small", "vs_disk": "16MiB"}
    fleet.declare(servers, {HOME: {"node_backup": backup}, BACKUP: {}, OTHER: {}})


def fresh(fleet: GuardedFleet, since: float) -> bool:
    """Whether every replica has everything from before that moment."""
    complete = replicas.by_server(fleet.copies())
    return all(any(each.refreshed > since for each in complete.get(name, ())) for name in fleet.servers)


def kept_up(fleet: GuardedFleet, seconds: float = 90) -> float:
    """Wait until every replica is as of now, or later; that moment."""
    moment = time.time()
    wait(lambda: fresh(fleet, moment), seconds, fleet.copies, pause=0.5)
    return moment


def running(fleet: GuardedFleet) -> dict[str, str]:
    """Server -> node, of all copies that run, whatever they are."""
    found = [(each.server, each.node) for each in fleet.copies() if each.running]
    assert len(dict(found)) == len(found), f"something runs twice: {found}"
    return dict(found)


def test_replicas_are_refreshed_on_time_without_a_controller_and_within_their_slots(fleet):
    numbers.equip(fleet.outside, HOME, MANY[:3])
    addresses = {name: address for name, address in fleet.addresses().items() if name in MANY[:3]}
    with fleet.without_controller(), Writer(addresses) as writer:
        kept_up(fleet)
        with replicas.Units(fleet.outside, BACKUP) as units, replicas.Ages(fleet) as ages:
            time.sleep(25 * pace() ** 0.5)
        limits = f"--warning {LATE * pace():.0f}x --critical {10 * pace():.0f}x"
        assert replicas.check(fleet.outside, BACKUP, limits)[0] == 0
    refreshed = {name: found[0].refreshed for name, found in replicas.by_server(fleet.copies()).items()}
    print({name: round(age, 1) for name, age in sorted(ages.oldest.items())}, units.most)
    assert ages.without == set()
    assert max(ages.oldest.values()) < 10 * LATE * pace()
    assert units.most == SLOTS, "both slots are used where a dozen are due, and no more"
    assert len(units.looks) > 20
    assert all(len(set(look)) == len(look) for look in units.looks)
    for name in addresses:
        assert len(writer.acknowledged[name]) > 10
        has = replicas.on_disk(fleet.outside, BACKUP, name)
        assert numbers.lost(writer.acknowledged[name], has, refreshed[name]) == []


def test_a_second_run_changes_nothing_and_a_check_run_neither(fleet):
    for output in (fleet.play("site"), fleet.play(APPLY, "--check")):
        assert sum(map(int, re.findall(r"changed=(\d+)", output))) == 0, output


def test_another_interval_and_another_backup_and_never_without_a_replica(fleet):
    declare(fleet, OTHER, rep01="1h")
    with replicas.Ages(fleet) as ages:
        fleet.play(APPLY)
    assert ages.without == set(), "the old replica goes after the new one is complete"
    complete = replicas.by_server(fleet.copies())
    assert {each.node for found in complete.values() for each in found} == {OTHER}
    assert all(len(found) == 1 for found in complete.values())
    assert replicas.marks(fleet.outside, OTHER, "rep01")["replica.interval"] == "3600"
    before = complete["rep01"][0].refreshed
    since = time.time()
    wait(
        lambda: replicas.by_server(fleet.copies())["rep02"][0].refreshed > since + 2,
        60,
        lambda: replicas.by_server(fleet.copies())["rep02"],
    )
    assert replicas.by_server(fleet.copies())["rep01"][0].refreshed == before
    declare(fleet)
    fleet.play(APPLY)
    kept_up(fleet)


def test_a_full_backup_disk_is_told_and_the_server_runs_on(fleet):
    console = fleet.outside.console
    console(BACKUP, "sh", "-c", "cat /dev/zero > /srv/small/filler; true")
    console(HOME, "incus", "exec", FULL, "--", "dd", "if=/dev/urandom", "of=/srv/much", "bs=1M", "count=3")
    wait(lambda: "replica.failure" in replicas.marks(fleet.outside, BACKUP, FULL), 60)
    status, words = replicas.check(fleet.outside, BACKUP, "--warning 1s")
    assert status == 1
    assert "No space left" in words, words
    assert running(fleet)[FULL] == HOME
    assert replicas.by_server(fleet.copies())[FULL][0].refreshed, "what there was of it is still there"
    console(BACKUP, "rm", "/srv/small/filler")
    kept_up(fleet)
    assert replicas.check(fleet.outside, BACKUP, "--warning 5m", "--critical 1h")[0] == 0
    # Gone by hand: its disks, which are in memory, do not outlive the power cuts to come.
    declare(fleet, full=False)
    for node in fleet.nodes:
        delete = f"incus list -c n -f csv | grep -qx {FULL} && incus delete --force {FULL}"
        console(node, "sh", "-ec", f"{delete}; {_NO_SMALL}")


def test_the_backup_dies_in_the_middle_of_a_refresh_and_comes_back(fleet):
    refreshing(fleet)
    fleet.outside.cut_power(BACKUP)
    assert running(fleet) == dict.fromkeys(MANY, HOME)
    fleet.outside.restore_power(BACKUP)
    up(fleet, BACKUP)
    kept_up(fleet, 120)
    assert running(fleet) == dict.fromkeys(MANY, HOME), "nothing starts where it is only a replica"
    written = fleet.outside.console(HOME, "incus", "exec", "rep01", "--", "md5sum", "/srv/much").split()[0]
    assert fleet.outside.console(BACKUP, "md5sum", replicas.path("rep01", "srv/much")).split()[0] == written


def test_the_servers_node_dies_in_the_middle_of_a_refresh_which_is_counted_and_told(fleet):
    refreshing(fleet)
    fleet.outside.cut_power(HOME)
    wait(lambda: "replica.failure" in replicas.marks(fleet.outside, BACKUP, "rep02"), 60)
    assert replicas.check(fleet.outside, BACKUP, "--warning 1s", "--critical 1h")[0] == 1
    status, words = replicas.check(fleet.outside, BACKUP, "--critical 2s")
    assert status == 2
    assert f"failed: {HOME}" in words, words
    assert running(fleet) == {}
    fleet.outside.restore_power(HOME)
    up(fleet, HOME)
    # Nobody but the node itself: no controller, no cluster.
    wait(lambda: running(fleet) == dict.fromkeys(MANY, HOME), 90, lambda: running(fleet))
    kept_up(fleet, 120)


def test_a_node_that_returns_with_older_copies_puts_them_aside_and_starts_none(fleet):
    fleet.outside.cut_power(HOME)
    fleet.play("failover", failover_nodes=HOME, failover_dead=HOME, failover_sure=HOME)
    assert running(fleet) == dict.fromkeys(MANY, BACKUP)
    fleet.outside.restore_power(HOME)
    up(fleet, HOME)

    def settled() -> bool:
        assert running(fleet) == dict.fromkeys(MANY, BACKUP), "nothing stale runs, ever"
        found = fleet.copies()
        aside = {each.aside for each in found if each.node == HOME and each.aside}
        fresh = {each.server for each in found if each.node == HOME and each.role == "replica" and each.refreshed}
        return aside >= set(MANY) and fresh >= set(MANY)

    wait(settled, 120, fleet.copies, pause=0.5)
    assert replicas.marks(fleet.outside, HOME, "rep02")["replica.interval"] == "10"
    names = {each.server for each in fleet.copies() if each.aside}
    assert all(re.fullmatch(r"rep[0-9a-z]+-aside-\d{8}-\d{4}", name) for name in names)
    status, words = replicas.check(fleet.outside, HOME, "--warning 5m", "--critical 1h")
    assert status == 1
    assert "put aside here" in words
    fleet.sweep()
    assert replicas.check(fleet.outside, HOME, "--warning 5m", "--critical 1h")[0] == 0


@pytest.mark.parametrize(
    ("broken", "mended", "words"),
    [
        ("systemctl stop switchyard-replicas.timer", "systemctl start switchyard-replicas.timer", "nothing refreshes"),
        ("systemctl stop incus.socket incus.service", "systemctl start incus.socket incus.service", "CRITICAL - "),
    ],
)
def test_a_node_that_does_not_do_its_part_is_critical(fleet, broken, mended, words):
    fleet.outside.console(OTHER, "sh", "-c", broken)
    try:
        status, said = replicas.check(fleet.outside, OTHER)
    finally:
        fleet.outside.console(OTHER, "sh", "-c", mended)
    assert status == 2
    assert words in said
    wait(lambda: replicas.check(fleet.outside, OTHER)[0] == 0, 30, lambda: replicas.check(fleet.outside, OTHER))


# ---- what they have in common


def refreshing(fleet: GuardedFleet) -> None:
    """Return in the middle of a refresh that takes a while."""
    fleet.outside.console(
        HOME, "incus", "exec", "rep01", "--", "dd", "if=/dev/urandom", "of=/srv/much", "bs=1M", "count=40"
    )
    wait(
        lambda: any(each.server == "rep01" and each.refreshing for each in fleet.copies()),
        60,
        fleet.copies,
        pause=0.02,
    )


def up(fleet: GuardedFleet, node: str) -> None:
    """Wait until a node's Incus answers again."""
    wait(lambda: fleet.outside.console(node, "incus", "list", check=False, timeout=90), 90)
