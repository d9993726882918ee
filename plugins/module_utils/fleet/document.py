# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a document: JSON types out and in. The schema is docs/plan.schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .model import Cost, Plan, Refusal, Score, Share, Step, Survival
from .schedule import waves

FORMAT = 1
"""Rises when a document of this version cannot be read as one of the version before."""


def to_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON types."""
    wave = waves(plan.steps)
    return {
        "format": FORMAT,
        "goal": plan.goal,
        "base": plan.base,
        "steps": [_step_out(step, wave[step.id]) for step in plan.steps],
        "placement": dict(plan.placement),
        "nodes": {
            name: {"before": asdict(plan.before[name]), "after": asdict(plan.after[name])} for name in plan.before
        },
        "violations": {"before": list(plan.violations_before), "after": list(plan.violations_after)},
        "backups": dict(plan.backups),
        "backups_before": dict(plan.backups_before),
        "survival": {
            "before": [_lists(asdict(proof)) for proof in plan.survival_before],
            "after": [_lists(asdict(proof)) for proof in plan.survival_after],
        },
        "score": {
            "before": asdict(plan.score_before) if plan.score_before else None,
            "after": asdict(plan.score_after) if plan.score_after else None,
        },
        "refusals": [_lists(asdict(refusal)) for refusal in plan.refusals],
        "conditions": [_lists(asdict(condition)) for condition in plan.conditions],
        "notes": list(plan.notes),
    }


def from_document(document: Mapping[str, Any]) -> Plan:
    """The plan a document holds.

    Raises ValueError, with what is wrong, for anything ``to_document`` does not write.
    """
    if document.get("format") != FORMAT:
        raise ValueError(f"format is {document.get('format')!r}; this version reads format {FORMAT}")
    try:
        nodes = document["nodes"]
        return Plan(
            goal=document["goal"],
            base=document["base"],
            steps=tuple(_step_in(step) for step in document["steps"]),
            placement=dict(document["placement"]),
            before={name: Share(**shares["before"]) for name, shares in nodes.items()},
            after={name: Share(**shares["after"]) for name, shares in nodes.items()},
            violations_before=tuple(document["violations"]["before"]),
            violations_after=tuple(document["violations"]["after"]),
            backups=dict(document["backups"]),
            backups_before=dict(document["backups_before"]),
            survival_before=tuple(_survival_in(proof) for proof in document["survival"]["before"]),
            survival_after=tuple(_survival_in(proof) for proof in document["survival"]["after"]),
            score_before=_score_in(document["score"]["before"]),
            score_after=_score_in(document["score"]["after"]),
            refusals=tuple(_refusal_in(refusal) for refusal in document["refusals"]),
            conditions=tuple(_refusal_in(condition) for condition in document.get("conditions", ())),
            notes=tuple(document["notes"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a plan this version wrote ({type(error).__name__}: {error})") from error


def _lists(facts: dict[str, Any]) -> dict[str, Any]:
    """Tuples as JSON knows them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}


def _refusal_in(document: Mapping[str, Any]) -> Refusal:
    return Refusal(**{**document, "conflict": tuple(document["conflict"])})


def _survival_in(document: Mapping[str, Any]) -> Survival:
    return Survival(**{**document, "gaps": tuple(document["gaps"])})


def _score_in(document: Mapping[str, Any] | None) -> Score | None:
    return None if document is None else Score(**document)


def _step_out(step: Step, wave: int) -> dict[str, Any]:
    document = asdict(step)
    document["wave"] = wave
    document["needs"] = list(step.needs)
    document["backups"] = list(step.backups)
    document["servers"] = list(step.servers)
    document["lost"] = list(step.lost)
    document["changes"] = {name: list(pair) for name, pair in step.changes.items()}
    return document


def _step_in(document: Mapping[str, Any]) -> Step:
    facts = {key: value for key, value in document.items() if key != "wave"}
    facts["needs"] = tuple(facts["needs"])
    facts["backups"] = tuple(facts.get("backups", ()))
    facts["servers"] = tuple(facts.get("servers", ()))
    facts["lost"] = tuple(facts.get("lost", ()))
    facts["changes"] = {name: (before, after) for name, (before, after) in facts["changes"].items()}
    facts["cost"] = Cost(**facts["cost"])
    return Step(**facts)
