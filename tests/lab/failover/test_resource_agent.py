# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource agent of a pair of nodes, called by hand as Pacemaker calls it, while Pacemaker itself looks away."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import activation
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.activation import Peer
from support.copies import not_once
from support.guarded import GuardedFleet, until

pytestmark = [pytest.mark.lab, pytest.mark.long]

AGENT = "/usr/lib/ocf/resource.d/switchyard/pair"
OK, FAILED, MISCONFIGURED, NOT_RUNNING = 0, 1, 6, 7
MARK = "user.switchyard."


@dataclass(frozen=True)
class Done:
    """How an action ended."""

    status: int
    words: str
    cpu: float
    """Milliseconds of CPU, the resource agent's and those of what it started."""


class Pair:
    """The pair of nodes that carries most servers, and its resource agent."""

    def __init__(self, fleet: GuardedFleet) -> None:
        self.fleet = fleet
        self.home = fleet.busiest()
        self.servers = sorted(fleet.of(self.home))
        # One whose copy was put aside gets its replica anew.
        until(self._backups, 120)
        self.backup = self._backups()[0]
        self.servers = [c.server for c in fleet.copies() if c.server in self.servers and c.node == self.backup]
        for name in self.servers:
            for node in (self.home, self.backup):
                self.set(name, node, pair=f"{self.home} {self.backup}", keeps="running")

    def _backups(self) -> list[str]:
        return [c.node for c in self.fleet.copies() if c.server == self.servers[0] and c.role == "replica"]

    def set(self, name: str, node: str, **marks: str) -> None:
        """Write marks on a copy."""
        said = [f"{MARK}{key}={value}" for key, value in marks.items()]

        def written() -> bool:
            # Incus lets nobody write on a server while its replica is being refreshed.
            try:
                self.fleet.outside.console(node, "incus", "config", "set", name, *said)
            except RuntimeError as error:
                assert "busy" in str(error)
                return False
            return True

        until(written, 60)

    def act(self, action: str, node: str = "", *, turned: bool = False, seconds: int = 120) -> Done:
        """One action on a node, the home if none is named; ``turned``: of the other pair of the two."""
        home, backup = (self.backup, self.home) if turned else (self.home, self.backup)
        told = {"OCF_RESKEY_home": home, "OCF_RESKEY_backup": backup, "OCF_RESKEY_CRM_meta_timeout": f"{seconds}000"}
        line = f'({AGENT} {action}) 2>&1; echo "status $?"; times'
        variables = [f"{key}={value}" for key, value in told.items()]
        said = self.fleet.outside.console(node or self.home, "env", *variables, "sh", "-c", line, timeout=seconds + 60)
        words, _status, rest = said.rpartition("status ")
        status, *times = rest.split()
        spent = [re.fullmatch(r"(\d+)m([\d.]+)s", each) for each in times[2:4]]
        return Done(int(status), words, sum(60e3 * int(each[1]) + 1e3 * float(each[2]) for each in spent if each))

    def running(self, node: str) -> list[str]:
        """The pair's servers that run on a node."""
        found = {each.server for each in self.fleet.copies() if each.node == node and each.running}
        return sorted(found & set(self.servers))

    def copy(self, name: str, node: str):
        return next((c for c in self.fleet.copies() if (c.server, c.node) == (name, node)), None)

    def inside(self, name: str, node: str, line: str) -> str:
        """What a command in a server prints."""
        return self.fleet.outside.console(node, "incus", "exec", name, "--", "sh", "-c", line)

    def processes(self) -> dict[str, str]:
        """Server -> its first process, on the home."""
        listed = self.fleet.outside.console(self.home, "incus", "list", "--format=csv", "--columns=np")
        found = dict(line.split(",") for line in listed.splitlines())
        return {name: found[name] for name in self.servers}

    def answers(self) -> bool:
        """Whether all its servers do."""
        try:
            for name, address in self.fleet.addresses().items():
                if name in self.servers:
                    urllib.request.urlopen(f"http://{address}/", timeout=2).read()
        except OSError:
            return False
        return True

    def memory(self, node: str) -> dict:
        """What the node remembers of the pair's servers."""
        return json.loads(self.fleet.outside.console(node, "cat", f"/run/switchyard/pairs/{self.home}:{self.backup}"))


@pytest.fixture(scope="module")
def alone(fleet: GuardedFleet) -> Iterator[GuardedFleet]:
    """The fleet, without Pacemaker doing anything of its own accord."""
    node = sorted(fleet.outside.powered())[0]
    switch = ("crm_attribute", "--type", "crm_config", "--name", "maintenance-mode")
    fleet.outside.console(node, *switch, "--update", "true", check=False)
    yield fleet
    fleet.outside.console(node, *switch, "--delete", check=False)


@pytest.fixture
def pair(alone: GuardedFleet) -> Iterator[Pair]:
    """A pair that was started where its servers are, and at the end is again, with complete replicas."""
    pair = Pair(alone)
    assert pair.act("start").status == OK
    until(pair.answers, 60)
    yield pair
    alone.outside.restore_power(*alone.nodes)
    until(lambda: alone.up(*alone.nodes), 120)
    for each in (Pair(alone), pair, *others(alone, pair)):
        assert each.act("start", each.home).status == OK
    alone.sweep()
    until(lambda: not complaints(alone), 120, lambda: "; ".join(complaints(alone)), pause=1)


def others(fleet: GuardedFleet, pair: Pair) -> list[Pair]:
    """The pairs whose servers went down along with a node of this one. Nobody else starts them."""
    labels = {each.pair for each in fleet.copies() if each.role == "primary" and each.pair}
    found = []
    for home, backup in sorted(labels - {(pair.home, pair.backup), (pair.backup, pair.home)}):
        each = copy(pair)
        each.home, each.backup = home, backup
        found.append(each)
    return found


def complaints(fleet: GuardedFleet, servers: Iterable[str] = ()) -> list[str]:
    """Servers, of these or of all, that do not run exactly once, or lack a complete replica."""
    found, wanted = fleet.copies(), sorted(servers or fleet.servers)
    replicated = {each.server for each in found if each.role == "replica" and each.refreshed}
    return not_once(found, wanted) + [f"{name} has no replica" for name in wanted if name not in replicated]


# ---------------------------------------------------------------- as OCF has it


def test_ocf_tester_finds_nothing_wrong(pair: Pair) -> None:
    console = pair.fleet.outside.console
    needed = ("resource-agents", "libxml2-utils")
    console(pair.home, "apt-get", "install", "-y", "--no-install-recommends", *needed, timeout=300)
    given = ("-o", f"home={pair.home}", "-o", f"backup={pair.backup}")
    said = console(pair.home, "ocf-tester", "-n", "pair-tested", *given, AGENT, timeout=300)
    assert "passed all tests" in said


def test_what_cannot_be_a_pair_is_a_mistake_and_no_failure(pair: Pair) -> None:
    pair.backup, backup = pair.home, pair.backup
    assert pair.act("validate-all", pair.home).status == MISCONFIGURED
    pair.backup = "nobody"
    assert "nobody" in pair.act("start", pair.home).words
    pair.backup = backup


def test_a_pair_runs_only_where_it_was_started(pair: Pair) -> None:
    probe = pair.act("monitor", pair.backup)
    assert probe.status == NOT_RUNNING
    assert probe.cpu < 15, "a probe asks nobody"
    assert pair.act("monitor").status == OK


def test_looking_at_servers_that_are_well_costs_next_to_nothing(pair: Pair) -> None:
    until(lambda: pair.act("monitor").status == OK and pair.memory(pair.home)["calm"] == pair.servers, 60)
    forget = ("rm", "-f", "/run/switchyard/well")
    looks = []
    for _again in range(5):
        pair.fleet.outside.console(pair.home, *forget)
        looks.append(pair.act("monitor").cpu)
    # Whoever asks next, for this pair or another one, within the seconds that holds:
    after = [pair.act("monitor").cpu for _again in range(2)]
    print(f"CPU per monitor: {sorted(looks)} ms for a look at the whole node, {sorted(after)} ms right after one")
    assert sorted(looks)[2] < 150
    assert min(after) < 20


# ---------------------------------------------------------------- in place


def test_a_server_that_stopped_is_started_where_it_is_and_nothing_else_is_touched(pair: Pair) -> None:
    sick, well = pair.servers[0], pair.servers[1:]
    before = pair.processes()
    pair.act("monitor")
    pair.fleet.outside.console(pair.home, "incus", "stop", "--force", sick)
    pair.fleet.outside.console(pair.home, "rm", "-f", "/run/switchyard/well")
    done = pair.act("monitor")
    assert done.status == OK
    assert f"{sick} is stopped: was started anew" in done.words
    assert pair.running(pair.home) == pair.servers
    assert {name: pid for name, pid in pair.processes().items() if before[name] == pid}.keys() == set(well)


@pytest.mark.parametrize(
    ("what", "way"), [("is paused", "incus pause {}"), ("hangs", "incus exec {} -- killall -STOP httpd")]
)
def test_a_server_that_does_not_serve_is_restarted_after_two_looks(pair: Pair, what: str, way: str) -> None:
    sick = pair.servers[0]
    until(lambda: pair.act("monitor").status == OK and pair.memory(pair.home)["healths"][sick]["heard"], 60)
    until(lambda: pair.memory(pair.home)["healths"][sick]["patience"] < now(pair), 60, pause=2)
    pair.fleet.outside.console(pair.home, "sh", "-c", way.format(sick))
    pair.fleet.outside.console(pair.home, "rm", "-f", "/run/switchyard/well")
    first = pair.act("monitor")
    assert "started anew" not in first.words
    assert not pair.answers()
    assert "started anew" in pair.act("monitor").words
    until(pair.answers, 30)


def now(pair: Pair) -> float:
    """The node's clock."""
    return float(pair.fleet.outside.console(pair.home, "date", "+%s"))


def test_a_person_who_stops_a_server_by_the_book_is_let(pair: Pair) -> None:
    name = pair.servers[0]
    pair.set(name, pair.home, keeps="stopped")
    pair.fleet.outside.console(pair.home, "incus", "stop", "--force", name)
    assert pair.act("monitor").status == OK
    assert pair.act("start").status == OK
    assert name not in pair.running(pair.home)
    pair.set(name, pair.home, keeps="running")
    assert pair.act("monitor").status == OK
    assert pair.running(pair.home) == pair.servers


def test_a_server_beyond_help_is_left_and_named_and_takes_nobody_along(pair: Pair) -> None:
    sick = pair.servers[0]
    pair.act("monitor")
    card = ("incus", "config", "device", "set", sick, "eth0")
    pair.fleet.outside.console(pair.home, "incus", "stop", "--force", sick)
    pair.fleet.outside.console(pair.home, *card, "parent=nowhere")
    try:
        said: list[Done] = []

        def left() -> bool:
            said.append(pair.act("monitor"))
            return "left as they are" in said[-1].words

        # The last restart is given its time first.
        until(left, 90, lambda: said, pause=3)
        assert {done.status for done in said} == {OK}
        assert sum(f"{sick} is stopped:" in done.words for done in said) == 3, "no more restarts than there may be"
        assert sick in said[-1].words
        assert pair.running(pair.home) == pair.servers[1:]
    finally:
        pair.fleet.outside.console(pair.home, *card, "parent=vmbr0")
        # What is remembered of it goes with the pair's stop.
        assert pair.act("stop").status == OK


# ---------------------------------------------------------------- over there


def test_a_home_that_lets_go_loses_nothing_and_becomes_the_backup(pair: Pair) -> None:
    for name in pair.servers:
        pair.inside(name, pair.home, "echo 4711 > /root/number 2>/dev/null || echo 4711 > /number")
    assert pair.act("stop").status == OK
    assert pair.running(pair.home) == []
    assert pair.act("monitor").status == NOT_RUNNING
    done = pair.act("start", pair.backup)
    assert (done.status, done.words) == (OK, "")
    assert pair.running(pair.backup) == pair.servers
    for name in pair.servers:
        assert pair.inside(name, pair.backup, "cat /root/number 2>/dev/null || cat /number").strip() == "4711"
        new, old = pair.copy(name, pair.backup), pair.copy(name, pair.home)
        assert (new.role, new.generation % 1000, new.pair) == ("primary", 0, (pair.backup, pair.home))
        assert (old.role, old.generation, old.pair) == ("replica", new.generation, (pair.backup, pair.home))
        assert new.replicas == (pair.home,) and old.refreshed
    # The pair is empty now: it may wander home and back, and nothing moves with it.
    assert pair.act("start", pair.backup).status == OK
    assert pair.act("stop", pair.backup).status == OK
    assert pair.act("start", pair.home).status == OK
    assert pair.running(pair.backup) == pair.servers
    assert pair.act("start", pair.backup, turned=True).status == OK
    assert pair.act("monitor", pair.backup, turned=True).status == OK


def test_a_home_that_dies_is_replaced_once_and_its_copies_stay_down_when_it_returns(pair: Pair) -> None:
    pair.fleet.outside.cut_power(pair.home)
    done = pair.act("start", pair.backup)
    assert done.status == OK
    assert pair.running(pair.backup) == pair.servers
    generations = {name: pair.copy(name, pair.backup).generation for name in pair.servers}
    assert pair.act("start", pair.backup).status == OK
    assert {name: pair.copy(name, pair.backup).generation for name in pair.servers} == generations
    pair.fleet.outside.restore_power(pair.home)
    until(lambda: pair.fleet.up(pair.home), 60)
    done = pair.act("start", pair.home)
    assert done.status == OK
    assert pair.running(pair.home) == []
    assert pair.running(pair.backup) == pair.servers
    # What it had is kept aside, and it gets replicas again: nobody has to do anything for that.
    left = partial(complaints, pair.fleet, pair.servers)
    until(lambda: not left(), 120, lambda: "; ".join(left()), pause=1)
    aside = {each.aside for each in pair.fleet.copies() if each.node == pair.home}
    assert set(pair.servers) <= aside


@pytest.mark.parametrize(
    ("mark", "words"),
    [("incomplete", "the replica here was never complete"), ("manual", "its failover is manual")],
)
def test_what_must_not_start_is_named_and_keeps_none_of_the_others_down(pair: Pair, mark: str, words: str) -> None:
    sick, *others = pair.servers
    pair.fleet.outside.cut_power(pair.home)
    if mark == "manual":
        told = json.loads(pair.fleet.outside.console(pair.backup, "incus", "config", "get", sick, f"{MARK}failover"))
        pair.set(sick, pair.backup, failover=json.dumps({**told, "mode": "manual"}))
    else:
        pair.set(sick, pair.backup, **{"replica.refreshed": ""})
    done = pair.act("start", pair.backup)
    assert done.status == OK
    assert others and pair.running(pair.backup) == others
    assert f"{sick}: not started here: {words}" in done.words
    # Another may be named as well, whose refresh the power cut ended; it was started.
    assert sick in pair.memory(pair.backup)["named"]


def test_a_start_that_is_killed_anywhere_goes_on_where_it_was(pair: Pair) -> None:
    pair.fleet.outside.cut_power(pair.home)
    for delay in (0.6, 1.2, 1.8, 2.4):
        line = f"timeout -s KILL {delay} {AGENT} start"
        variables = (f"OCF_RESKEY_home={pair.home}", f"OCF_RESKEY_backup={pair.backup}")
        pair.fleet.outside.console(pair.backup, "env", *variables, "sh", "-c", line, check=False)
    assert pair.act("start", pair.backup).status == OK
    # What was promoted before one of them died is for the other pair of the two.
    assert pair.act("start", pair.backup, turned=True).status == OK
    assert pair.running(pair.backup) == pair.servers
    assert all(pair.copy(name, pair.backup).generation % 1000 == 0 for name in pair.servers)


# ---------------------------------------------------------------- live peers


@pytest.fixture
def peer(pair: Pair) -> Iterator[tuple[str, list[str]]]:
    """A machine beside the fleet that is told to take over, and to hand back: its address, and what it was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            # The first time it is not up to it, as a machine may be that is about to double its load.
            self.send_response(503 if len(asked) == 1 else 204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    gateway = pair.fleet.lab.facts["gateway"]
    with ThreadingHTTPServer((gateway, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{gateway}:{server.server_port}", asked
        server.shutdown()


def test_a_live_peer_takes_over_and_hands_back(pair: Pair, peer: tuple[str, list[str]]) -> None:
    url, asked = peer
    name, *others = pair.servers
    key = activation.key("guarded")
    told = json.loads(pair.fleet.outside.console(pair.home, "incus", "config", "get", name, f"{MARK}failover"))
    calls = {**told, "action": "activate", "activate_url": f"{url}/take", "deactivate_url": f"{url}/back"}
    for node in (pair.home, pair.backup):
        pair.set(name, node, failover=json.dumps(calls))
    book = activation.text({name: Peer(pair.home, f"{url}/take", f"{url}/back")})
    pair.fleet.outside.console(pair.backup, "incus", "config", "set", f"{key}={book}")
    assert pair.act("start", pair.backup, turned=True).status == OK

    def activated() -> float:
        return activation.parse(pair.fleet.outside.console(pair.backup, "incus", "config", "get", key))[name].activated

    try:
        pair.fleet.outside.cut_power(pair.home)
        assert pair.act("start", pair.backup).status == OK
        assert asked == ["/take", "/take"], "asked again until it agreed, and then no more"
        assert activated() > 0
        assert pair.running(pair.backup) == others, "it is started nowhere"
        assert pair.act("start", pair.backup).status == OK
        assert pair.act("monitor", pair.backup, turned=True).status == OK
        assert len(asked) == 2, "its server is not back"
        pair.fleet.outside.restore_power(pair.home)
        until(lambda: pair.fleet.up(pair.home), 60)
        assert pair.act("start", pair.home).status == OK
        assert pair.running(pair.home) == [name]

        def handed_back() -> bool:
            assert pair.act("monitor", pair.backup, turned=True).status == OK
            return asked[2:] == ["/back"]

        until(handed_back, 60, lambda: str(asked), pause=2)
        assert activated() == 0
    finally:
        pair.fleet.outside.console(pair.backup, "incus", "config", "unset", key)
        pair.fleet.outside.restore_power(pair.home)
        until(lambda: pair.fleet.up(pair.home), 60)
        for node in (pair.home, pair.backup):
            pair.set(name, node, failover=json.dumps(told))
