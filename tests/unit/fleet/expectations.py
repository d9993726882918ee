# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario expects of a plan, word by word. Each check yields what is not as expected.

Numbers may be bounds: ``3``, ``at most 3``, ``at least 1``, ``2 to 4``. A plan is expected to be possible unless
``refused`` or ``conflict`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain import plan_text
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Plan, Step
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import waves
from scenario import Scenario, names

Check = Callable[[Plan, Scenario, Any], Iterator[str]]


def disappointments(plan: Plan, scenario: Scenario) -> list[str]:
    """Everything that is not as the scenario expects it."""
    found = []
    may_be_refused = {"refused", "conflict"} & set(scenario.expect)
    if bool(plan.refusals) != bool(may_be_refused):
        found.append("is refused" if plan.refusals else "is not refused")
    for word, wanted in scenario.expect.items():
        found += [f"{word}: {wrong}" for wrong in CHECKS[word](plan, scenario, wanted)]
    return found


def story(plan: Plan, scenario: Scenario) -> str:
    """The plan, for whoever has to find out why."""
    return plan_text(scenario.fleet, plan)


def _bounded(number: float, said: Any) -> Iterator[str]:
    words = str(said).split()
    low, high = {
        1: lambda: (float(words[-1]), float(words[-1])),
        3: lambda: (
            (float(words[0]), float(words[2]))
            if words[1] == "to"
            else (float("-inf"), float(words[2]))
            if words[1] == "most"
            else (float(words[2]), float("inf"))
        ),
    }[len(words)]()
    if not low - 1e-9 <= number <= high + 1e-9:
        yield f"{number:g}, wanted: {said}"


def _moves_of(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.action == "move"]


def _where(plan: Plan, scenario: Scenario) -> dict[str, str]:
    """Where servers are in the end, by the steps themselves."""
    own = [g for g in scenario.observed.servers if g.fleet == scenario.fleet.name and g.role == "primary"]
    at = {guest.name: guest.node for guest in sorted(own, key=lambda guest: guest.generation)}
    for step in plan.steps:
        if step.action in ("move", "create") or "node" in step.changes:
            at[step.server] = step.node
    return at


def _nothing(plan: Plan, _scenario: Scenario, wanted: bool) -> Iterator[str]:
    if wanted and plan.steps:
        yield ", ".join(step.id for step in plan.steps)


def _moves(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    yield from _bounded(len(_moves_of(plan)), wanted)


def _steps(plan: Plan, _scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    for action, number in wanted.items():
        for wrong in _bounded(sum(1 for step in plan.steps if step.action == action), number):
            yield f"{action} {wrong}"


def _placed(plan: Plan, scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    at = _where(plan, scenario)
    for pattern, nodes in wanted.items():
        for name in names(pattern):
            barred = isinstance(nodes, str) and nodes.startswith("not ")
            listed = names(nodes.removeprefix("not ") if isinstance(nodes, str) else nodes)
            if (at.get(name) in listed) == barred:
                yield f"{name} on {at.get(name)}, wanted: {nodes}"


def _carries(plan: Plan, scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    at = _where(plan, scenario)
    for node, number in wanted.items():
        for wrong in _bounded(sum(1 for place in at.values() if place == node), number):
            yield f"{node} {wrong}"


def _empty(plan: Plan, scenario: Scenario, wanted: Any) -> Iterator[str]:
    for node in names(wanted):
        yield from _carries(plan, scenario, {node: 0})


def _stay(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    moved = {step.server for step in _moves_of(plan)}
    yield from (f"{name} moves" for name in names(wanted) if name in moved)


def _move(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    moved = {step.server for step in _moves_of(plan)}
    yield from (f"{name} stays" for name in names(wanted) if name not in moved)


def _twice(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    moved = [step.server for step in _moves_of(plan)]
    twice = sorted({name for name in moved if moved.count(name) > 1})
    if len(twice) != wanted if isinstance(wanted, int) else twice != sorted(names(wanted)):
        yield f"{twice}, wanted: {wanted}"


def _apart(plan: Plan, scenario: Scenario, wanted: Any) -> Iterator[str]:
    at = [_where(plan, scenario)[name] for name in names(wanted)]
    if len(set(at)) < len(at):
        yield f"on {', '.join(at)}"


def _together(plan: Plan, scenario: Scenario, wanted: Any) -> Iterator[str]:
    at = [_where(plan, scenario)[name] for name in names(wanted)]
    if len(set(at)) > 1:
        yield f"on {', '.join(at)}"


def _worst(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    yield from _bounded(round(100 * max(share.worst for share in plan.after.values()), 1), wanted)


def _memory(plan: Plan, _scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    for node, percent in wanted.items():
        for wrong in _bounded(round(100 * plan.after[node].memory, 1), percent):
            yield f"{node} {wrong}"


def _violations(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    yield from _bounded(len(plan.violations_after), wanted)


def _survives(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    """``all``, or the nodes and failure domains whose loss is survived in the end; every other is not."""
    holds = {proof.lost for proof in plan.survival_after if proof.holds}
    fails = {proof.lost for proof in plan.survival_after if not proof.holds}
    if not plan.survival_after:
        yield "nothing is proven"
    if (wanted == "all" and fails) or (wanted != "all" and holds != set(names(wanted))):
        yield f"survived: {sorted(holds)}, fatal: {sorted(fails)}"


def _gaps(plan: Plan, _scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Loss -> words that what would not run is named with."""
    told = {proof.lost: " ".join(proof.gaps) for proof in plan.survival_after}
    for lost, words in wanted.items():
        for word in [words] if isinstance(words, str) else words:
            if word not in told.get(lost, ""):
                yield f"{lost}: {word!r} is not in {told.get(lost, '')!r}"


def _backups(plan: Plan, _scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    for pattern, nodes in wanted.items():
        for name in names(pattern):
            barred = isinstance(nodes, str) and nodes.startswith("not ")
            listed = names(nodes.removeprefix("not ") if isinstance(nodes, str) else nodes)
            if (plan.backups.get(name) in listed) == barred:
                yield f"{name} on {plan.backups.get(name)}, wanted: {nodes}"


def _backups_per_node(plan: Plan, _scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    for node, number in wanted.items():
        for wrong in _bounded(sum(1 for place in plan.backups.values() if place == node), number):
            yield f"{node} {wrong}"


def _waves(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    moving = {waves(plan.steps)[step.id] for step in _moves_of(plan)}
    yield from _bounded(len(moving), wanted)


def _order(plan: Plan, _scenario: Scenario, wanted: list[str]) -> Iterator[str]:
    """``a before b``: servers (their last moves) or nodes (their closing)."""
    by_id = {step.id: step for step in plan.steps}
    last = {step.server or step.node: step for step in plan.steps}
    for line in wanted:
        first, second = (last.get(word.strip()) for word in line.split(" before "))
        behind: set[str] = set()
        waiting = list(second.needs) if second else []
        while waiting:
            need = waiting.pop()
            if need not in behind:
                behind.add(need)
                waiting += by_id[need].needs
        if first is None or second is None or first.id not in behind:
            yield line


def _manner(plan: Plan, _scenario: Scenario, wanted: Mapping[str, str]) -> Iterator[str]:
    how = {step.server: step.manner for step in _moves_of(plan)}
    for pattern, manner in wanted.items():
        yield from (f"{name} {how.get(name)}" for name in names(pattern) if how.get(name) != manner)


def _copied(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    yield from _bounded(sum(step.cost.copied for step in plan.steps), wanted)


def _refused(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    """Who is refused; or who, with words of why."""
    refused = {refusal.subject: refusal.reason for refusal in plan.refusals}
    words = wanted if isinstance(wanted, dict) else dict.fromkeys(names(wanted), "")
    if set(refused) != set(words):
        yield f"{sorted(refused)}"
    for subject, word in words.items():
        for each in [word] if isinstance(word, str) else word:
            if each not in refused.get(subject, ""):
                yield f"{subject}: {each!r} is not in {refused.get(subject, '')!r}"


def _conflict(plan: Plan, _scenario: Scenario, wanted: list[str]) -> Iterator[str]:
    """A conflict with one fact for each of these, ``&`` between words of one fact, and no other fact."""

    def same(facts: tuple[str, ...]) -> bool:
        left = list(facts)
        for line in wanted:
            words = [word.strip() for word in line.split("&")]
            match = next((fact for fact in left if all(word in fact for word in words)), None)
            if match is None:
                return False
            left.remove(match)
        return not left

    if not any(same(refusal.conflict) for refusal in plan.refusals):
        yield f"{[list(refusal.conflict) for refusal in plan.refusals]}"


def _reasons(plan: Plan, _scenario: Scenario, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Server (or node) -> words its steps' reasons hold."""
    for subject, words in wanted.items():
        told = " ".join(step.reason for step in plan.steps if subject in (step.server, step.server or step.node))
        for word in [words] if isinstance(words, str) else words:
            if word not in told:
                yield f"{subject}: {word!r} is not in {told!r}"


def _notes(plan: Plan, _scenario: Scenario, wanted: Any) -> Iterator[str]:
    told = "\n".join(plan.notes)
    for word in [wanted] if isinstance(wanted, str) else wanted:
        if word not in told:
            yield f"{word!r} is not in {told!r}"


def _better(plan: Plan, _scenario: Scenario, wanted: bool) -> Iterator[str]:
    before, after = plan.score_before, plan.score_after
    if before is None or after is None:
        yield "no score"
    elif (after.balance < before.balance - 1e-9) != wanted:
        yield f"{before.balance:.4f} → {after.balance:.4f}"


CHECKS: Mapping[str, Check] = {
    "nothing": _nothing,
    "moves": _moves,
    "steps": _steps,
    "placed": _placed,
    "carries": _carries,
    "empty": _empty,
    "stay": _stay,
    "move": _move,
    "twice": _twice,
    "apart": _apart,
    "together": _together,
    "worst": _worst,
    "memory": _memory,
    "violations": _violations,
    "survives": _survives,
    "gaps": _gaps,
    "backups": _backups,
    "backups_per_node": _backups_per_node,
    "waves": _waves,
    "order": _order,
    "manner": _manner,
    "copied": _copied,
    "refused": _refused,
    "conflict": _conflict,
    "reasons": _reasons,
    "notes": _notes,
    "better": _better,
}
