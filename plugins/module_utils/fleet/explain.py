# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words and tables a person reads: plans, steps, results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from .bundles import bundles, common
from .fit import some
from .model import Fleet, Plan, Refusal, Share, Step
from .schedule import waves
from .standing import amount, expected, standing

_VERBS = {
    "template": "copy template",
    "create": "create",
    "copy": "copy",
    "import": "import",
    "configure": "configure",
    "resize": "resize",
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "delete": "delete",
    "move": "move",
    "promote": "promote",
    "replicate": "replicate",
    "unreplicate": "drop replica of",
    "protect": "protect",
    "unprotect": "unprotect",
}


def verb(step: Step) -> str:
    """What a step does, in a word or two."""
    if step.action == "maintenance":
        return "close" if step.changes["state"][1] == "maintenance" else "open"
    if step.action == "arrange":
        kind, (_before, after) = next(iter(step.changes.items()))
        return f"keep {kind}" if after else f"no longer keep {kind}"
    return _VERBS[step.action]


def step_line(step: Step) -> str:
    """One step in a few words: ``create pbx-05 on node2``."""
    if step.action == "gate":
        return f"wait: {step.reason}" + (f", {step.pause:g} s apart" if step.pause else "")
    if step.action == "maintenance":
        return f"{verb(step)} {step.node}"
    subject = _subject(step)
    if step.action == "arrange":
        return f"{verb(step)} {subject}"
    if step.action == "move":
        return f"{verb(step)} {subject} {step.source} → {step.node}"
    if step.action == "copy":
        return f"{verb(step)} {step.servers[0]} on {step.source} to {subject} on {step.node}"
    place = f"from {step.source} to {step.node}" if step.source else f"on {step.node}"
    return f"{verb(step)} {subject} {place}"


def _subject(step: Step) -> str:
    """Whom a step is about."""
    return step.server or step.template or some(step.servers, 4)


def headline(plan: Plan) -> str:
    """What a plan comes to: ``converge: 16 to create, 16 to start``."""
    if plan.refusals:
        count = len(plan.refusals)
        return f"{plan.goal}: not possible, {count} {'reason' if count == 1 else 'reasons'}"
    counts: dict[str, int] = {}
    for step in plan.steps:
        if step.action != "gate":
            counts[verb(step)] = counts.get(verb(step), 0) + 1
    if not counts and plan.goal == "capacity":
        # Its notes are the answer, the first of them in short.
        return f"{plan.goal}: {plan.notes[0]}"
    if not counts:
        return f"{plan.goal}: nothing to do"
    return f"{plan.goal}: " + ", ".join(f"{count} to {word}" for word, count in counts.items())


def plan_text(fleet: Fleet, plan: Plan, *, short: bool = False) -> str:
    """The whole plan, to be read before it is applied; ``short``: of very many steps like ones are told together."""
    parts = [headline(plan)]
    for refusal in plan.refusals:
        parts.append(f"  refused: {refusal.subject}: {refusal.reason}")
        parts += _conflict_lines(refusal)
    parts += [f"  first: {condition.subject}: {condition.reason}" for condition in plan.conditions]
    parts += [f"  note: {note}" for note in plan.notes]
    parts += [f"  broken now: {broken}" for broken in plan.violations_before]
    parts += [f"  broken after: {broken}" for broken in plan.violations_after if broken not in plan.violations_before]
    if plan.steps:
        parts += ["", *_steps(plan.steps, short=short), *expected(plan.steps)]
    if plan.before:
        nodes = [_node_row(fleet, name, plan.before[name], plan.after[name]) for name in plan.before]
        parts += ["", *table(("node", "servers", "cores", "memory", "disk", "io"), nodes)]
    proofs = [] if plan.refusals else standing(plan)
    if proofs:
        parts += ["", *proofs]
    return "\n".join(parts)


def quiet_text(plan: Plan) -> str:
    """What is worth saying of a plan in which there is nothing to do."""
    lines = [headline(plan), *(f"  note: {note}" for note in plan.notes)]
    return "\n".join([*lines, *(f"  {line}" for line in standing(plan))])


def refusal_text(plan: Plan) -> str:
    """Why a plan must not be applied, all of it."""
    lines = [headline(plan)] if plan.refusals else [f"{plan.goal}: nothing was changed; first has to be seen to:"]
    for refusal in (*plan.refusals, *plan.conditions):
        lines += [f"{refusal.subject}: {refusal.reason}", *_conflict_lines(refusal)]
    return "\n".join(lines)


def _conflict_lines(refusal: Refusal) -> list[str]:
    """The facts that cannot all hold, one a line."""
    if not refusal.conflict:
        return []
    return ["    these cannot all hold:", *(f"      - {fact}" for fact in refusal.conflict)]


def diff_of(steps: Sequence[Step]) -> list[dict[str, str]]:
    """What steps change, as the before and after texts Ansible shows with --diff: one per server."""
    subjects: dict[str, list[Step]] = {}
    for step in steps:
        if step.changes:
            subjects.setdefault(_subject(step) or step.node, []).append(step)
    return [
        {
            "before_header": subject,
            "after_header": subject,
            "before": _side(found, 0),
            "after": _side(found, 1),
        }
        for subject, found in subjects.items()
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows under a head, columns as wide as their widest cell, the last one free."""
    cells = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip_longest(*cells, fillvalue="")]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _steps(steps: Sequence[Step], *, short: bool) -> list[str]:
    """The table of steps; where servers move, with what that costs and what may go on side by side."""
    wave = waves(steps) if any(step.action == "move" for step in steps) else {}
    told = bundles(steps, wave) if short else [(step,) for step in steps]
    hint = ["like steps are told together; -v tells each"] if len(told) < len(steps) else []
    if not wave:
        return table(("step", "node", "why"), [_bundle_row(bundle) for bundle in told]) + hint
    rows = []
    for bundle in told:
        (what, place, why), costs = _bundle_row(bundle), ("", "")
        if bundle[0].action == "move":
            gaps = "at most " * (len(bundle) > 1) + f"{max(step.cost.downtime for step in bundle):.1f} s"
            costs = (amount(sum(step.cost.copied for step in bundle)), gaps)
        rows.append((str(wave[bundle[0].id] + 1), what, place, *costs, why))
    return table(("wave", "step", "node", "copies", "gap", "why"), rows) + hint


def _bundle_row(bundle: Sequence[Step]) -> tuple[str, str, str]:
    """One step, or several like ones."""
    rows = [_step_row(step) for step in bundle]
    if len(rows) == 1:
        return rows[0]
    what = f"{verb(bundle[0])} {some(map(_subject, bundle))}"
    return what, rows[0][1], common([why for _what, _place, why in rows])


def _step_row(step: Step) -> tuple[str, str, str]:
    if step.action == "gate":
        return step_line(step), "", ""
    if step.action == "maintenance":
        return verb(step), step.node, step.reason
    if step.action == "move":
        return f"move {step.server}", f"{step.source} → {step.node}", step.reason
    changes = [f"{name} {before} → {after}" for name, (before, after) in step.changes.items() if before is not None]
    copied = f", {amount(step.cost.copied)}" if step.action == "replicate" and step.cost.copied else ""
    source = [f"from {step.source}{copied}"] if step.source and step.action != "unreplicate" else []
    subject = _subject(step)
    what = [] if step.action in ("start", "stop", "delete", "arrange", "promote") else changes
    return f"{verb(step)} {subject}", step.node, "; ".join([*source, *what, step.reason])


def _node_row(fleet: Fleet, name: str, before: Share, after: Share) -> tuple[str, ...]:
    node = fleet.nodes[name]
    place = f" ({node.failure_domain})" if node.failure_domain else ""
    shares = [_moved(getattr(before, kind), getattr(after, kind)) for kind in ("cores", "memory", "disk", "io")]
    servers = f"{before.servers}" if before.servers == after.servers else f"{before.servers} → {after.servers}"
    return (f"{name}{place}", servers, *shares)


def _moved(before: float, after: float) -> str:
    first, second = _percent(before), _percent(after)
    return first if first == second else f"{first} → {second}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share < 1e6 else "no room"


def _side(steps: Sequence[Step], side: int) -> str:
    """One side of a diff; a value that is not there on that side has no line. Of several steps that change the same,
    the first tells what was, the last what will be."""
    facts: Mapping[str, object] = {
        name: pair[side]
        for step in (steps if side else reversed(steps))
        for name, pair in step.changes.items()
        if pair[side] is not None
    }
    return "".join(f"{name}: {value}\n" for name, value in facts.items())
