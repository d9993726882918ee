# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet's templates are made of, checked, in the order they are made in."""

from __future__ import annotations

DOCUMENTATION = r"""
name: template_recipes
short_description: What the fleet's templates are made of
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - From C(fleet_templates), a list with an entry for each template, those that others are built on first. Every mistake
    in it is an error, all of them at once.
  - Files of the controller are read, and what a template is made of is summed up in a digest, so that it can be told
    whether an image was made of the same.
options:
  _input:
    description: C(fleet_templates).
    type: dict
    required: true
  directory:
    description: Where files that are named without a directory are; the inventory's.
    type: path
    required: true
"""

EXAMPLES = r"""
recipes: "{{ fleet_templates | switchyard.fleet.template_recipes(inventory_dir) }}"
"""

RETURN = r"""
_value:
  description:
    - One entry for each template, with C(name), C(version), C(alias) of its image, C(build) (or C(from), if it is taken
      from a server), C(packages), C(components), C(release), C(base) (an alias), C(files), C(first_boot) and
      C(recipe), a digest of all this.
    - Contents of files are in Base64.
  type: list
  elements: dict
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.fleet.inventory import lineage
from ..module_utils.fleet.inventory.kinds import WRONG
from ..module_utils.fleet.inventory.mistakes import InventoryError, Mistake, Notes
from ..module_utils.fleet.inventory.vocabulary.template import TEMPLATES


def template_recipes(templates: Mapping[str, Any] | None, directory: str) -> list[dict[str, Any]]:
    """What each template is made of. Raises AnsibleFilterError with every mistake."""
    mistakes: list[Mistake] = []
    notes = Notes("", mistakes)
    read = TEMPLATES.read(templates or {}, "fleet_templates", notes)
    if read is not WRONG:
        lineage.check(read, "incus", notes)
        noted = {mistake.variable for mistake in mistakes}
        for name, said in read.items():
            at = f"fleet_templates.{name}.kind"
            if said is not WRONG and said.get("kind") == "vm" and at not in noted:
                notes.wrong(at, "vm", "only containers can be built so far", "container")
    recipes = [] if mistakes else [_recipe(name, read, Path(directory), notes) for name in lineage.in_order(read)]
    if mistakes:
        lines = InventoryError(mistakes).lines()
        raise AnsibleFilterError("\n".join(["nothing was changed:", *(line.removeprefix("fleet: ") for line in lines)]))
    return recipes


def _recipe(name: str, read: Mapping[str, Mapping[str, Any]], directory: Path, notes: Notes) -> dict[str, Any]:
    said = read[name]
    at = f"fleet_templates.{name}"
    files = [
        {
            "path": each["path"],
            "mode": each.get("mode", "0644"),
            "owner": each.get("owner", "root"),
            "group": each.get("group", "root"),
            "content": _content(each, directory, f"{at}.files[{index}]", notes),
        }
        for index, each in enumerate(said.get("files", ()))
    ]
    first_boot = said.get("first_boot")
    made_of: dict[str, Any] = {
        "build": "" if "from" in said else said.get("build", "debian"),
        "from": said.get("from", ""),
        "packages": list(said.get("packages", ())),
        "components": list(said.get("components", ())),
        "release": read[lineage.chain(name, read)[-1]].get("release", ""),
        "base": _alias(said["base"], read[said["base"]]) if "base" in said else "",
        "files": files,
        "first_boot": _content(first_boot, directory, f"{at}.first_boot", notes) if first_boot else "",
    }
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return {"name": name, "version": said.get("version", "1"), "alias": _alias(name, said), "recipe": digest, **made_of}


def _alias(name: str, said: Mapping[str, Any]) -> str:
    return f"switchyard/{name}/{said.get('version', '1')}"


def _content(said: Mapping[str, Any], directory: Path, at: str, notes: Notes) -> str:
    """In Base64. What cannot be read is noted."""
    if "content" in said:
        return base64.b64encode(said["content"].encode()).decode()
    try:
        return base64.b64encode((directory / Path(said["src"]).expanduser()).read_bytes()).decode()
    except OSError as error:
        notes.wrong(f"{at}.src", said["src"], str(error.strerror or error), "a file on the controller")
        return ""


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The one filter of this file."""
        return {"template_recipes": template_recipes}
