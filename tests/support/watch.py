# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is watched while something dies in a lab.

Everybody is asked 20 times a second, and written to as often as is said, from the first scenario to the last. At the
end of each every server has to run exactly once, nobody may have been there twice, and what was acknowledged has to be
there, but for what no replica had when a server's node died.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from . import numbers
from .copies import not_once, refreshed
from .guarded import GuardedFleet, until
from .numbers import Writer
from .prober import Prober
from .wire import Wire

FOREVER = float("inf")


@contextmanager
def watched(fleet: GuardedFleet, every: float = 0.5) -> Iterator[Watch]:
    """Somebody looks on, from an ordinary day with numbers in every replica."""
    fleet.calm()
    addresses = fleet.addresses()
    for node in fleet.nodes:
        numbers.equip(fleet.outside, node, fleet.of(node))
    wire = Wire(fleet.outside.bridge, addresses, fleet.outside.ports)
    with Prober(addresses, wire=wire) as prober, Writer(addresses, every) as writer:
        watch = Watch(fleet, prober, writer)
        watch.kept_up()
        yield watch


class Watch:
    """Who looks on, writes down and judges."""

    def __init__(self, fleet: GuardedFleet, prober: Prober, writer: Writer) -> None:
        self.fleet, self.prober, self.writer = fleet, prober, writer
        self._excused: dict[str, list[tuple[float, float]]] = {name: [] for name in fleet.servers}
        self._notes: list[tuple[float, str]] = []
        self.began = time.time()

    @contextmanager
    def scenario(self) -> Iterator[None]:
        """Something happens; it begins and ends on an ordinary day."""
        self.fleet.calm()
        self._notes.clear()
        self.began = time.time()
        try:
            yield
            self.note(f"an ordinary day again, {self.fleet.calm():.1f} s later")
        finally:
            print(self.account())
        self.verdict()
        self.fleet.sweep()

    # ---- what happens

    @contextmanager
    def lossy(self, *nodes: str, also: Iterable[str] = ()) -> Iterator[float]:
        """The nodes die in this block, whose value is the moment it begins: their servers may lose what no replica had.

        Everything they took before the newest refresh known from before the block, and from right after it, is to be
        there at the end; what came later, until they answer again, need not be. ``also``: servers on their way there.
        """
        here = {name for name, node in self.fleet.where().items() if node in nodes}
        hit = (here | set(also)) & self._excused.keys()
        before = refreshed(self.fleet.copies())
        moment = time.time()
        self.note(f"{', '.join(nodes)} with {', '.join(sorted(hit)) or 'nobody'}")
        yield moment
        after = refreshed(self.fleet.copies(*nodes))
        for name in hit:
            since = max(before.get(name, 0.0), after.get(name, 0.0))
            self._excused[name].append((since, FOREVER))

    def cut_power(self, *nodes: str) -> float:
        """Their plugs are pulled; when."""
        with self.lossy(*nodes) as moment:
            self.fleet.outside.cut_power(*nodes)
        return moment

    def boot(self, *nodes: str) -> None:
        """Nodes that were cut off have power again, as soon as the others have done with them: nobody else may have
        missed them yet, and who is fenced as it boots stays off."""
        for node in nodes:
            until(partial(self.fleet.given_up, node), 60)
        self.fleet.outside.restore_power(*nodes)

    def all_answer(self, seconds: float = 120, but: Iterable[str] = ()) -> float:
        """Wait until every server answers; how long it took. From then on nothing may be lost again."""
        # An answer that was on its way when something died is none.
        wanted, began = set(self.fleet.servers) - set(but), time.time() + 0.3
        took = until(
            lambda: wanted <= self.prober.answering(began),
            seconds,
            lambda: f"silent: {', '.join(sorted(wanted - self.prober.answering(began)))}\n{self.account()}",
            pause=0.1,
        )
        now = time.time()
        for name in wanted:
            self._excused[name] = [(since, min(end, now)) for since, end in self._excused[name]]
        self.note(f"all answer, {took:.1f} s later")
        return took

    def serving(self, servers: Iterable[str]) -> bool:
        """Whether these all answer, from now on."""
        began = time.time()
        time.sleep(0.3)
        return set(servers) <= self.prober.answering(began)

    def until_one_of(self, servers: Iterable[str], node: str, seconds: float = 120) -> None:
        """Wait until one of these servers is heard from this node."""
        wanted, began = set(servers), time.time()
        until(
            lambda: any(each.server in wanted and each.node == node for each in self.prober.heard(began)),
            seconds,
            self.account,
            pause=0.05,
        )
        self.note(f"the first of {', '.join(sorted(wanted))} is on {node}")

    def until_named(self, server: str, node: str, seconds: float = 240) -> str:
        """Wait until monitoring is told on this node that something is wrong with a server; what it is told."""
        told = [""]

        def named() -> bool:
            told[0] = self.fleet.outside.console(node, "switchyard-agent", "check", check=False)
            return f"{server}: " in told[0]

        self.note(f"{server} is named, {until(named, seconds, lambda: told[0], pause=2):.1f} s later")
        return told[0]

    def kept_up(self, seconds: float = 240) -> None:
        """Wait until every replica has something of what is being written now."""
        moment = time.time()
        wanted = {name for name, facts in self.fleet.servers.items() if facts["vs_replication"] != "none"}
        until(
            lambda: all(refreshed(self.fleet.copies()).get(name, 0.0) > moment + 1 for name in wanted),
            seconds,
            lambda: f"refreshed before {moment + 1:.0f}: {refreshed(self.fleet.copies())}",
        )

    def note(self, words: str) -> None:
        """For whoever reads what happened."""
        self._notes.append((time.time(), words))

    # ---- what came of it

    def account(self) -> str:
        """What happened when, and how long everybody was away."""
        lines = [f"{moment - self.began:7.1f} s  {words}" for moment, words in self._notes]
        away = sorted(self.prober.back(self.began).items())
        return "\n".join([*lines, *(f"{when:7.1f} s  {name} back for good" for name, when in away)])

    def verdict(self) -> None:
        """Raise AssertionError unless every server runs once, was never there twice, and has what it took."""
        found = self.fleet.copies()
        assert not_once(found, self.fleet.servers) == []
        twice = self.prober.double_answers(self.began)
        assert twice == [], f"{len(twice)} answers of two copies at once, the first {twice[0]}"
        lost = self.lost()
        assert lost == {}, "acknowledged, in a replica, and gone:\n" + "\n".join(
            f"{name} {number} at {self.writer.acknowledged[name][number] - self.began:.2f} s"
            for name, numbers_lost in lost.items()
            for number in numbers_lost
        )

    def lost(self) -> dict[str, list[int]]:
        """Server -> numbers that have to be there, and are not."""
        gone = {}
        for name, node in self.fleet.where().items():
            # As it is before the server is asked what it has: it goes on taking more.
            acknowledged = dict(self.writer.acknowledged[name])
            assert acknowledged, f"{name} never took a number"
            has = numbers.kept(self.fleet.outside, node, name)
            missing = [
                number
                for number in numbers.lost(acknowledged, has, FOREVER)
                if not any(since <= acknowledged[number] <= end for since, end in self._excused[name])
            ]
            if missing:
                gone[name] = missing
        return gone

    def dropped(self) -> int:
        """How many acknowledged numbers are gone with dead nodes, that no replica had."""
        return sum(
            len(numbers.lost(self.writer.acknowledged[name], numbers.kept(self.fleet.outside, node, name), FOREVER))
            for name, node in self.fleet.where().items()
        )
