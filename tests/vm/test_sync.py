# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks in step on two machines with Debian's kernel and DRBD: what was acknowledged is never lost, what is older never
starts. The agent's own functions; in place of the cluster a record that both machines reach."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from machines import Machine
from two_nodes import LINES, PLACE, acknowledged, back, booted, majority, until

pytestmark = pytest.mark.vm
MARK = "node1=0 node2=1"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Two machines, node1 and node2."""
    with booted(tmp_path_factory.mktemp("vm")) as both:
        yield both


def _follows(machine: Machine) -> None:
    until(lambda: machine.act("follow", "pbx01", MARK).startswith("True"))


def _in_step(machine: Machine) -> None:
    """The node that writes has seen that both have everything, and has had the cluster forget who went on alone."""
    until(lambda: "not in step" not in machine.act("tend", "pbx01", MARK) and 'value="node' not in _alone(machine))
    assert "UpToDate/UpToDate" in machine.act("tell", "pbx01", MARK)


@contextmanager
def _tended(machine: Machine) -> Iterator[None]:
    """The node that writes sees to its device all the time, as the agent's service does."""
    over = threading.Event()

    def tend() -> None:
        while not over.wait(1):
            machine.act("tend", "pbx01", MARK)

    thread = threading.Thread(target=tend)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _write(machine: Machine, lines: int) -> None:
    """Have it write on, and return once so many lines more were acknowledged."""
    first = acknowledged(machine) + 1
    writer = f"setsid python3 -I /run/tools/writer.py {LINES} /run/record/acknowledged {first} >/run/writer.log 2>&1 &"
    machine.run("sh", "-c", writer)
    until(lambda: acknowledged(machine) >= first + lines - 1)


def _lines(machine: Machine) -> set[int]:
    return {int(line) for line in machine.run("cat", LINES).split()}


def _alone(machine: Machine) -> str:
    return machine.run("sh", "-c", "cibadmin --query --xpath \"//nvpair[@name='alone-pbx01']\" || true")


def test_a_server_comes_onto_its_device_and_both_nodes_into_step(pair):
    one, two = pair
    one.run("sh", "-c", f"mkdir -p {PLACE}/rootfs/etc && chmod 711 {PLACE} && echo pbx01 >{PLACE}/rootfs/etc/hostname")
    assert "UpToDate" in one.act("adopt", "pbx01", MARK)
    assert one.run("cat", f"{PLACE}/rootfs/etc/hostname") == "pbx01\n"
    assert 'value="node1"' in _alone(one)
    _follows(two)
    _in_step(one)
    # Cut off anywhere, it is done again: once more changes nothing.
    one.act("adopt", "pbx01", MARK)
    one.act("tidy", "pbx01", MARK)
    assert one.run("cat", f"{PLACE}/rootfs/etc/hostname") == "pbx01\n"


def test_the_other_node_cannot_write_meanwhile(pair):
    assert pair[1].act("take", "pbx01", MARK).startswith("refused:")


def test_every_write_that_was_acknowledged_is_there_after_a_power_cut(pair):
    one, two = pair
    _write(one, 50)
    one.kill()
    last = acknowledged(two)
    told = two.act("take", "pbx01", MARK)
    assert "Primary/Unknown" in told, told
    lines = _lines(two)
    assert lines >= set(range(1, last + 1)), f"{sorted(set(range(1, last + 1)) - lines)} of {last} lost"
    assert 'value="node2"' in _alone(two)
    _write(two, 20)


def test_the_node_that_returns_is_brought_up_to_date(pair):
    one, two = pair
    back(one)
    _follows(one)
    _in_step(two)


def test_a_node_that_missed_writes_never_starts_with_what_it_has(pair):
    one, two = pair
    one.kill()
    before = acknowledged(two)
    # Writes wait until the cluster has it that node2 goes on alone.
    until(lambda: acknowledged(two) > before + 20)
    assert 'value="node2"' in _alone(two)
    two.kill()
    last = acknowledged(two)
    back(one)
    told = one.act("take", "pbx01", MARK)
    assert "node2 went on alone" in told, told
    assert not one.run("sh", "-c", f"ls {PLACE} 2>/dev/null || true").strip()
    back(two)
    two.act("take", "pbx01", MARK)
    assert _lines(two) >= set(range(1, last + 1))
    _follows(one)
    _in_step(two)


def test_writes_of_a_node_that_is_cut_off_wait_until_the_majority_hears_it(pair):
    one, two = pair
    _write(two, 5)
    majority(two, there=False)
    two.run("ip", "link", "set", "eth0", "down")
    # What was on its way when the link was cut was acknowledged by both.
    until(lambda: "writes wait" in two.act("tell", "pbx01", MARK))
    before = acknowledged(two)
    time.sleep(20)
    assert acknowledged(two) == before
    assert 'value="node' not in _alone(two)
    # The cluster hears it again, the disk's own network is still cut.
    majority(two)
    until(lambda: "Primary" in two.act("tend", "pbx01", MARK) and acknowledged(two) > before)
    assert 'value="node2"' in _alone(two)
    assert "node2 went on alone" in one.act("take", "pbx01", MARK)
    two.run("ip", "link", "set", "eth0", "up")
    _follows(one)
    _in_step(two)


def test_a_server_goes_over_in_order_and_nothing_is_claimed(pair):
    one, two = pair
    two.run("sh", "-c", "pkill -f '[w]riter.py'; sleep 2; true")
    last = acknowledged(two)
    two.act("let_go", "pbx01", MARK)
    assert "Primary/Secondary, UpToDate/UpToDate" in one.act("take", "pbx01", MARK)
    assert _lines(one) >= set(range(1, last + 1))
    assert 'value="node1"' not in _alone(one)


def test_of_two_copies_that_were_written_to_the_older_one_is_kept_aside(pair):
    one, two = pair
    two.kill()
    until(lambda: 'value="node1"' in _alone(one))
    _write(one, 10)
    one.kill()
    last = acknowledged(one)
    back(two)
    assert two.act("take", "pbx01", MARK).startswith("refused:")
    # Somebody takes node1 for lost for good, and is wrong.
    two.run("cibadmin", "--delete", "--xpath", "//nvpair[@name='alone-pbx01']")
    assert "Primary" in two.act("take", "pbx01", MARK)
    two.run("sh", "-c", f"echo node2 >{PLACE}/rootfs/newer && sync")
    claim = _alone(two)
    assert 'value="node2"' in claim
    back(one)
    assert "node2 went on alone" in one.act("take", "pbx01", MARK)
    # As long as nobody says who is right, nothing is thrown away.
    two.run("cibadmin", "--delete", "--xpath", "//nvpair[@name='alone-pbx01']")
    told: list[str] = []
    with _tended(two):
        until(lambda: told.append(one.act("follow", "pbx01", MARK)) or told[-1].startswith("refused:"))
    assert "both sides were written to" in told[-1], told
    assert not one.run("sh", "-c", "ls /srv/disks | grep aside || true")
    xml = f"<crm_config><cluster_property_set id='switchyard'>{claim}</cluster_property_set></crm_config>"
    two.run("cibadmin", "--modify", "--allow-create", "--scope", "crm_config", "--xml-text", xml)
    with _tended(two):
        _follows(one)
    _in_step(two)
    assert two.run("cat", f"{PLACE}/rootfs/newer") == "node2\n"
    (aside,) = one.run("sh", "-c", "ls /srv/disks | grep aside").split()
    assert aside.startswith(f"switchyard-pbx01-aside-{time.strftime('%Y')}"), aside
    one.run("sh", "-c", f"mkdir -p /run/aside && cp --sparse=always /srv/disks/{aside} /srv/disks/looked-at")
    one.run("mount", "-t", "ext4", "-o", "loop", "/srv/disks/looked-at", "/run/aside")
    kept = {int(line) for line in one.run("cat", "/run/aside/rootfs/lines").split()}
    assert kept >= set(range(1, last + 1))
    one.run("umount", "/run/aside")
    two.act("let_go", "pbx01", MARK)
    one.act("take", "pbx01", MARK)
    assert one.run("cat", f"{PLACE}/rootfs/newer") == "node2\n"


def test_a_server_is_taken_off_its_device_with_all_it_has(pair):
    one, two = pair
    lines = _lines(one)
    assert lines
    one.act("release", "pbx01", MARK)
    assert one.run("sh", "-c", f"findmnt {PLACE} || true") == ""
    assert _lines(one) == lines
    assert one.run("cat", f"{PLACE}/rootfs/etc/hostname") == "pbx01\n"
    assert one.run("stat", "--format=%a", PLACE) == "711\n"
    assert one.run("sh", "-c", "ls /srv/disks | grep pbx01.img || true") == ""
    # Done again, as after a cut, it changes nothing.
    one.act("release", "pbx01", MARK)
    assert _lines(one) == lines
    # What the other node still has is older from now on.
    assert "node1 went on alone" in two.act("take", "pbx01", MARK)
    two.act("forget", "pbx01", MARK)
    assert not two.run("sh", "-c", "ls /srv/disks | grep pbx01.img || true")
    assert "Unconfigured" in two.act("tell", "pbx01", MARK)
