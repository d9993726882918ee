# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which templates have to be made, and where."""

from __future__ import annotations

DOCUMENTATION = r"""
name: template_work
short_description: Which templates have to be made, and where
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Compares what P(switchyard.fleet.template_recipes#filter) says of templates with the images that nodes have.
options:
  _input:
    description: The recipes, those that others are built on first.
    type: list
    elements: dict
    required: true
  images:
    description: By node, its images as C(incus query /1.0/images?recursion=1) tells them.
    type: dict
    required: true
  builder:
    description: Node that builds what is built from nothing.
    type: str
    required: true
  names:
    description: Only these templates, and what they are built on. All, if left out.
    type: list
    elements: str
"""

EXAMPLES = r"""
work: "{{ recipes | switchyard.fleet.template_work({'node1': images1, 'node2': images2}, 'node1') }}"
"""

RETURN = r"""
_value:
  description:
    - C(build) and C(take), recipes of what is to be built or taken from a server, those that are built with the C(node)
      that builds them.
    - C(otherwise), aliases of images that were made of something else than their recipe says now.
  type: dict
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def template_work(
    recipes: Iterable[Mapping[str, Any]],
    images: Mapping[str, Iterable[Mapping[str, Any]]],
    builder: str,
    names: Iterable[str] | None = None,
) -> dict[str, list[Any]]:
    """What is to be built, what is to be taken from servers, and what was made otherwise."""
    wanted = _wanted(list(recipes), names)
    there = _there(images)
    work: dict[str, list[Any]] = {"build": [], "take": [], "otherwise": []}
    places: dict[str, str] = {}
    for recipe in wanted:
        alias = recipe["alias"]
        if alias in there:
            made_of = {each for each in there[alias].values() if each}
            if made_of - {recipe["recipe"]}:
                work["otherwise"].append(alias)
            # Whoever holds a base is who builds on it.
            places[alias] = builder if builder in there[alias] else min(there[alias])
        elif recipe["from"]:
            work["take"].append(dict(recipe))
        else:
            places[alias] = places.get(recipe["base"], builder)
            work["build"].append({**recipe, "node": places[alias]})
    return work


def _wanted(recipes: list[Mapping[str, Any]], names: Iterable[str] | None) -> list[Mapping[str, Any]]:
    """The recipes meant, and those of their bases."""
    if names is None:
        return recipes
    known = {recipe["name"] for recipe in recipes}
    aliases = {recipe["alias"] for recipe in recipes if recipe["name"] in set(names)}
    unknown = sorted(set(names) - known)
    if unknown:
        words = (
            f"template_names: {', '.join(unknown)}: no such template; accepted: {', '.join(sorted(known)) or 'none'}"
        )
        raise AnsibleFilterError(words)
    # Bases come before what is built on them.
    for recipe in reversed(recipes):
        if recipe["alias"] in aliases and recipe["base"]:
            aliases.add(recipe["base"])
    return [recipe for recipe in recipes if recipe["alias"] in aliases]


def _there(images: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    """Alias -> node -> digest of what its image was made of, empty where nobody noted it."""
    found: dict[str, dict[str, str]] = {}
    for node, held in images.items():
        for image in held:
            recipe = str((image.get("properties") or {}).get("switchyard.recipe", ""))
            for each in image.get("aliases") or ():
                found.setdefault(each["name"], {})[node] = recipe
    return found


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The one filter of this file."""
        return {"template_work": template_work}
