# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The naive checker finds nothing wrong with a right plan, and objects to every kind of wrong one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    CapacityOverride,
    Cost,
    Failover,
    Plan,
    Refusal,
    Replication,
    Score,
    Share,
    Size,
    Step,
    Survival,
)
from conflicts import smallest
from fleets import apart, fleet, guest, node, observed, seen, server, silent, stranger, together
from naive import objections

AUTO = Failover(mode="auto")
HALF = Size(cores=1, memory=4096, disk=1024)
NODES = ("n1", "n2", "n3")


def move(name: str, source: str, to: str, *needs: str, **facts) -> Step:
    """One move, right as far as it goes."""
    base = Step(
        id=f"move/{name}",
        action="move",
        server=name,
        source=source,
        node=to,
        needs=needs,
        reason="because",
        changes={"node": (source, to)},
        manner="copy",
        cost=Cost(copied=HALF.disk, downtime=5.0),
    )
    return replace(base, **facts)


class Case:
    """Servers of half a node each on three nodes, and a plan for them that claims the truth."""

    def __init__(self, places: dict[str, str], *, nodes=None, rules=(), **servers) -> None:
        self.nodes = {name: node(name) for name in NODES} | (nodes or {})
        self.servers = {name: server(name, **{"size": HALF, **servers.get(name, {})}) for name in places}
        self.places, self.rules = places, rules
        self.seen = {name: seen(name) for name in self.nodes}
        self.extra: list = []

    def objections(self, *steps: Step, **claims) -> list[str]:
        """What the checker says of these steps; ``claims`` instead of what is true."""
        home = dict(self.places)
        for step in steps:
            if step.action == "move":
                home[step.server] = step.node
        true = {
            "placement": home,
            "before": self._shares(self.places),
            "after": self._shares(home),
        }
        what = fleet(self.nodes.values(), self.servers.values(), self.rules)
        guests = [guest(self.servers[name], where) for name, where in self.places.items()]
        there = observed(self.seen.values(), [*guests, *self.extra])
        return objections(what, there, Plan("balance", steps, "base", **{**true, **claims}))

    def _shares(self, home: dict[str, str]) -> dict[str, Share]:
        shares = {}
        for name in self.nodes:
            own = [self.servers[who].size for who, where in home.items() if where == name and who in self.servers]
            own += [extra.size for extra in self.extra if extra.node == name]
            sums = [sum(getattr(size, what) for size in own) for what in ("cores", "memory", "disk")]
            capacity = self.seen[name].capacity
            of = (capacity.cores, capacity.memory, capacity.pools.get("default", 0))
            shares[name] = Share(*(a / b if b else 0.0 for a, b in zip(sums, of, strict=True)), 0.0, len(own))
        return shares


def said(found: list[str], *words: str) -> bool:
    """Whether one objection has all these words."""
    return any(all(word in line for word in words) for line in found)


# ---------------------------------------------------------------- right plans


def test_no_steps_are_right():
    assert Case({"a": "n1", "b": "n2"}).objections() == []


def test_a_move_is_right():
    assert Case({"a": "n1", "b": "n1"}).objections(move("b", "n1", "n2")) == []


def test_a_chain_in_the_right_order_is_right():
    case = Case({"a": "n1", "b": "n2", "c": "n2"})
    assert case.objections(move("b", "n2", "n3"), move("a", "n1", "n2", "move/b")) == []


def test_a_swap_through_a_third_node_is_right():
    case = Case({"a": "n1", "b": "n1", "c": "n2", "d": "n2"})
    steps = (
        move("a", "n1", "n3", id="move/a@n3"),
        move("c", "n2", "n1", "move/a@n3"),
        move("a", "n3", "n2", "move/c", "move/a@n3"),
    )
    assert case.objections(*steps) == []


# ---------------------------------------------------------------- room


def test_a_node_without_room():
    found = Case({"a": "n1", "b": "n2", "c": "n2"}).objections(move("a", "n1", "n2"))
    assert said(found, "move/a begins", "n2", "too much memory")


def test_room_that_is_only_there_later():
    case = Case({"a": "n1", "b": "n2", "c": "n2"})
    found = case.objections(move("b", "n2", "n3"), move("a", "n1", "n2"))
    assert said(found, "move/a begins", "too much memory")


def test_two_that_fit_one_by_one_and_not_together():
    case = Case({"a": "n1", "b": "n2", "c": "n3"})
    found = case.objections(move("a", "n1", "n3"), move("b", "n2", "n3"))
    assert said(found, "n3", "too much memory")


@pytest.mark.parametrize("resource", ["cores", "disk"])
def test_every_resource_counts(resource):
    size = replace(HALF, memory=1, **{resource: 5 if resource == "cores" else 5000})
    case = Case({"a": "n1", "b": "n2"}, a={"size": size}, b={"size": size})
    step = move("a", "n1", "n2", cost=Cost(copied=size.disk, downtime=1))
    assert said(case.objections(step), "n2", f"too much {resource}")


def test_a_budget_counts():
    nodes = {"n2": node("n2", capacity=CapacityOverride(io=10))}
    case = Case({"a": "n1"}, nodes=nodes, a={"size": replace(HALF, io=11)})
    assert said(case.objections(move("a", "n1", "n2")), "n2", "too much io")


def test_strangers_are_load():
    case = Case({"a": "n1"})
    case.extra = [stranger("windows", "n2", Size(1, 5000, 100))]
    assert said(case.objections(move("a", "n1", "n2")), "n2", "too much memory")


def test_an_overfull_node_gets_nothing_more():
    case = Case({"a": "n1", "b": "n2", "c": "n2", "d": "n2"})
    assert case.objections(move("d", "n2", "n3")) == []
    assert said(case.objections(move("a", "n1", "n2")), "n2", "too much memory")


# ---------------------------------------------------------------- rules


def test_apart():
    case = Case({"a": "n1", "b": "n2"}, rules=[apart("a", "b")])
    assert said(case.objections(move("a", "n1", "n2")), "apart", "a b n2")


def test_apart_while_one_is_still_leaving():
    case = Case({"a": "n1", "b": "n2"}, rules=[apart("a", "b")])
    found = case.objections(move("b", "n2", "n3"), move("a", "n1", "n2"))
    assert said(found, "move/a begins", "apart")
    assert case.objections(move("b", "n2", "n3"), move("a", "n1", "n2", "move/b")) == []


def test_apart_over_racks():
    nodes = {name: node(name, failure_domain="r1") for name in ("n2", "n3")}
    case = Case({"a": "n1", "b": "n2"}, nodes=nodes, rules=[apart("a", "b", over="failure_domain")])
    assert said(case.objections(move("a", "n1", "n3")), "apart", "r1")


def test_apart_over_sites():
    nodes = {name: node(name, site="s") for name in ("n2", "n3")}
    case = Case({"a": "n1", "b": "n2"}, nodes=nodes, rules=[apart("a", "b", over="site")])
    assert said(case.objections(move("a", "n1", "n3")), "apart")


def test_a_preference_may_be_broken():
    case = Case({"a": "n1", "b": "n2"}, rules=[apart("a", "b", hard=False)])
    assert case.objections(move("a", "n1", "n2")) == []


def test_what_is_broken_may_stay_broken_and_may_not_spread():
    rule = apart("a", "b", "c")
    case = Case({"a": "n1", "b": "n1", "c": "n2"}, rules=[rule])
    assert case.objections(move("a", "n1", "n3")) == []
    assert said(case.objections(move("b", "n1", "n2")), "apart")


def test_together():
    case = Case({"a": "n1", "b": "n1"}, rules=[together("a", "b")])
    assert said(case.objections(move("a", "n1", "n2")), "together", "a b")
    assert case.objections(move("a", "n1", "n2"), move("b", "n1", "n2")) == []


def test_together_over_racks_is_never_left():
    nodes = {name: node(name, failure_domain="r1") for name in ("n1", "n2")}
    case = Case({"a": "n1", "b": "n2"}, nodes=nodes, rules=[together("a", "b", over="failure_domain")])
    assert said(case.objections(move("a", "n1", "n3")), "together")
    assert case.objections(move("a", "n1", "n2")) == []


@pytest.mark.parametrize(
    ("wish", "word"),
    [({"node": "n1"}, "pin"), ({"site": "default"}, "site"), ({"devices": frozenset({"x"})}, "device")],
)
def test_claims(wish, word):
    nodes = {"n1": node("n1", devices=frozenset({"x"})), "n2": node("n2", site="elsewhere")}
    assert said(Case({"a": "n1"}, nodes=nodes, a=wish).objections(move("a", "n1", "n2")), word, "a n2")


def test_a_node_kept_for_others():
    case = Case({"a": "n1"}, nodes={"n2": node("n2", dedicated=frozenset({"b"}))})
    assert said(case.objections(move("a", "n1", "n2")), "kept a n2")


def test_a_server_that_wants_to_be_alone():
    case = Case({"a": "n1", "b": "n2"}, b={"dedicated": True})
    assert said(case.objections(move("a", "n1", "n2")), "alone b a n2")
    assert said(case.objections(move("b", "n2", "n1")), "alone b a n1")


@pytest.mark.parametrize("closed", ["declared", "drained", "witness", "silent"])
def test_a_closed_node(closed):
    facts = {"declared": {"state": "maintenance"}, "witness": {"witness": True}}.get(closed, {})
    case = Case({"a": "n1"}, nodes={"n2": node("n2", **facts)})
    if closed == "drained":
        case.seen["n2"] = seen("n2", maintenance=True)
    if closed == "silent":
        case.seen["n2"] = silent("n2")
    assert said(case.objections(move("a", "n1", "n2")), "n2 is closed")


def test_a_node_the_plan_itself_closes():
    case = Case({"a": "n1", "b": "n2"})
    closing = Step("maintenance/n1", "maintenance", "n1", reason="r", changes={"state": ("active", "maintenance")})
    assert case.objections(closing, move("a", "n1", "n3", "maintenance/n1")) == []
    assert said(case.objections(closing, move("b", "n2", "n1", "maintenance/n1")), "n1 is closed")
    assert said(case.objections(closing, move("a", "n1", "n3")), "does not wait until n1 is closed")


# ---------------------------------------------------------------- what survives


def protected(**facts) -> Case:
    """Each of two nodes can carry what the other does; n3 is full of something else."""
    nodes = {
        "n1": node("n1", backup="n2"),
        "n2": node("n2", backup="n1"),
        "n3": node("n3", backup="n1"),
    }
    return Case({"a": "n1", "b": "n2", "c": "n3"}, nodes=nodes, a={"failover": AUTO}, b={"failover": AUTO}, **facts)


BACKUPS = {"a": "n2", "b": "n1"}


def test_a_survivable_loss_stays_so():
    case = protected()
    found = case.objections(move("c", "n3", "n2"), backups=BACKUPS)
    assert said(found, "the loss of node n1", "no longer be survived")


def test_a_loss_that_is_fatal_before_may_stay_so():
    case = protected()
    case.extra = [stranger("windows", "n2", Size(1, 100, 100))]
    assert case.objections(move("c", "n3", "n1"), backups=BACKUPS) == case.objections(
        move("c", "n3", "n1"), backups=BACKUPS
    )
    assert not said(case.objections(backups=BACKUPS), "survived")


def test_a_backup_that_is_the_own_node():
    assert said(protected().objections(backups={"a": "n1", "b": "n1"}), "backup of a on n1, where it runs itself")


def test_a_backup_of_somebody_who_does_not_fail_over():
    assert said(protected().objections(backups={**BACKUPS, "c": "n1"}), "backup of c")


def test_survival_that_is_not_so():
    proofs = tuple(Survival(name, "node") for name in NODES)
    case = protected()
    assert case.objections(backups=BACKUPS, backups_before=BACKUPS, survival_after=proofs, survival_before=proofs) == []
    case.extra = [stranger("windows", "n2", Size(1, 100, 100))]
    assert said(case.objections(backups=BACKUPS, survival_after=proofs), "survival after of node n1")


def test_survival_denied_that_is_so():
    proofs = (Survival("n1", "node", gaps=("a: no room",)), Survival("n2", "node"))
    assert said(protected().objections(backups=BACKUPS, survival_after=proofs), "survival after of node n1")


def test_survival_that_leaves_a_node_out():
    proofs = (Survival("n1", "node"),)
    assert said(protected().objections(backups=BACKUPS, survival_after=proofs), "nothing is said of node n2")


def test_the_tightest_backup_is_as_full_as_told():
    right = (Survival("n1", "node", tightest="n2 memory 100 %"), Survival("n2", "node", tightest="n1 memory 100 %"))
    assert protected().objections(backups=BACKUPS, survival_after=right) == []
    wrong = (replace(right[0], tightest="n2 memory 80 %"), right[1])
    assert said(protected().objections(backups=BACKUPS, survival_after=wrong), "n2 memory 80 %")


def test_a_replica_takes_disk():
    synced = {"replication": Replication("sync"), "failover": AUTO}
    big = Size(1, 100, 5000)
    case = Case({"a": "n1", "b": "n3"}, a={**synced, "size": big}, b={"size": big})
    case.extra = [guest(case.servers["a"], "n2", role="replica", state="stopped")]
    step = move("b", "n3", "n2", cost=Cost(copied=5000, downtime=1))
    found = case.objections(step, backups={"a": "n2"}, before={}, after={})
    assert said(found, "n2", "too much disk")


# ---------------------------------------------------------------- form


def test_a_need_that_is_no_step():
    assert said(Case({"a": "n1"}).objections(move("a", "n1", "n2", "move/b")), "needs move/b")


def test_a_need_that_comes_later():
    case = Case({"a": "n1", "b": "n1"})
    assert said(case.objections(move("a", "n1", "n2", "move/b"), move("b", "n1", "n2")), "needs move/b")


def test_one_id_twice():
    case = Case({"a": "n1", "b": "n1"})
    assert said(case.objections(move("a", "n1", "n2"), move("b", "n1", "n2", id="move/a")), "one id")


def test_no_reason():
    assert said(Case({"a": "n1"}).objections(move("a", "n1", "n2", reason="")), "no reason")


@pytest.mark.parametrize(("source", "to"), [("n2", "n3"), ("n1", "n1"), ("n1", "n9")])
def test_a_move_from_where_it_is_not_or_to_where_nothing_is(source, to):
    assert said(Case({"a": "n1"}).objections(move("a", source, to)), "it is on n1")


def test_changes_that_say_something_else():
    step = move("a", "n1", "n2", changes={"node": ("n1", "n3")})
    assert said(Case({"a": "n1"}).objections(step), "changes say")


def test_a_server_nobody_knows():
    assert said(Case({"a": "n1"}).objections(move("b", "n1", "n2")), "no such server")


def test_a_server_on_a_silent_node():
    case = Case({"a": "n1"})
    case.seen["n1"] = silent("n1")
    assert said(case.objections(move("a", "n1", "n2")), "does not answer")


def test_two_hops_that_do_not_wait_for_each_other():
    case = Case({"a": "n1"})
    found = case.objections(move("a", "n1", "n2", id="move/a@n2"), move("a", "n2", "n3"))
    assert said(found, "does not wait for move/a@n2")


def test_a_detour_nobody_needs():
    case = Case({"a": "n1"})
    found = case.objections(move("a", "n1", "n2", id="move/a@n2"), move("a", "n2", "n3", "move/a@n2"))
    assert said(found, "could have gone straight to n3")


def test_there_and_back_again():
    case = Case({"a": "n1"})
    found = case.objections(move("a", "n1", "n2", id="move/a@n2"), move("a", "n2", "n1", "move/a@n2"))
    assert said(found, "comes back for nothing")


def test_refused_and_begun_all_the_same():
    assert said(Case({"a": "n1"}).objections(move("a", "n1", "n2"), refusals=(Refusal("a", "no"),)), "refused")
    assert Case({"a": "n1"}).objections(refusals=(Refusal("a", "no"),)) == []
    assert said(Case({"a": "n1"}).objections(refusals=(Refusal("a", ""),)), "refusal without words")


def test_more_at_once_than_a_node_may_have():
    case = Case({"a": "n1", "b": "n1"}, nodes={"n1": node("n1", concurrency=1)})
    found = case.objections(move("a", "n1", "n2"), move("b", "n1", "n3"))
    assert said(found, "wave 1: 2 moves at n1")


# ---------------------------------------------------------------- claims


@pytest.mark.parametrize("manner", ["", "live", "switch", "shared"])
def test_a_manner_the_engine_has_not(manner):
    assert said(Case({"a": "n1"}).objections(move("a", "n1", "n2", manner=manner)), "cannot move in manner")


def test_a_copy_that_costs_nothing():
    found = Case({"a": "n1"}).objections(move("a", "n1", "n2", cost=Cost()))
    assert said(found, "copies 1024 MiB and says 0")
    assert said(found, "is down while it moves")


def test_a_wrong_placement():
    assert said(Case({"a": "n1"}).objections(placement={"a": "n2"}), "placement", "ends on n1")


@pytest.mark.parametrize("what", ["cores", "memory", "disk", "io", "servers"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_wrong_share(when, what):
    case = Case({"a": "n1"})
    shares = case._shares({"a": "n1"})
    shares["n1"] = replace(shares["n1"], **{what: getattr(shares["n1"], what) + 1})
    assert said(case.objections(**{when: shares}), when, "n1", "servers" if what == "servers" else what)


def test_shares_of_too_few():
    assert said(Case({"a": "n1"}).objections(after={}), "after: shares of nobody")


def test_figures_in_a_reason():
    case = Case({"a": "n1", "b": "n1"})
    assert case.objections(move("b", "n1", "n2", reason="n1 memory 100 % → 50 %; n2 memory 0% → 50%")) == []
    assert said(case.objections(move("b", "n1", "n2", reason="n1 memory 90 % → 50 %")), "says n1 memory 90 % → 50 %")


@pytest.mark.parametrize("what", ["violations", "gaps"])
def test_a_wrong_score(what):
    right = Score(violations=2, gaps=0, balance=0.0, worst=1.0)
    case = Case({"a": "n1", "b": "n1"}, rules=[apart("a", "b")])
    assert not said(case.objections(score_before=right, score_after=right), "violations, and")
    wrong = replace(right, **{what: getattr(right, what) + 1})
    assert said(case.objections(score_after=wrong), "score after", what)


# ---------------------------------------------------------------- bigger plans


def test_many_moves_are_walked_through():
    places = {f"s{number:02}": "n1" for number in range(20)}
    size = {"size": Size(0.1, 100, 100)}
    case = Case(places, nodes={n: node(n, concurrency=20) for n in NODES}, **dict.fromkeys(places, size))
    cost = Cost(copied=100, downtime=1)
    steps = [move(name, "n1", "n2" if at % 2 else "n3", cost=cost) for at, name in enumerate(places)]
    assert case.objections(*steps) == []
    case.extra = [stranger("windows", "n2", Size(1, 7300, 100))]
    assert said(case.objections(*steps), "n2", "too much memory")


# ---------------------------------------------------------------- conflicts


def test_a_conflict_is_smallest_or_it_is_not():
    what = fleet([node("n1"), node("n2")], [server("a", node="n1"), server("b")])
    facts = ("a is asked onto n2", "a is pinned to n1")
    assert smallest(what, {"a": "n1"}, facts) is True
    assert smallest(what, {"a": "n1"}, (*facts, "b takes 1024 MiB of memory")) is False
    assert smallest(what, {"a": "n1"}, facts[:1]) is False
    assert smallest(what, {"a": "n1"}, (*facts, "the moon is full")) is None


def test_a_conflict_over_room():
    what = fleet([node("n1"), node("n2")], [server("a"), server("b")])
    facts = ("n1 is to be empty", "a takes 600 MiB of memory", "b takes 600 MiB of memory", "n2 has 1000 MiB of memory")
    assert smallest(what, {"a": "n1", "b": "n2"}, facts) is True
    assert smallest(what, {"a": "n1", "b": "n2"}, (*facts[:3], "n2 has 1200 MiB of memory")) is False
