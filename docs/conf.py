# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site: the pages of this folder, and those antsibull-docs makes of the plugins. See `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from docutils import nodes

_ROOT = Path(__file__).resolve().parents[1]
_GALAXY = yaml.safe_load((_ROOT / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{_GALAXY['namespace']}.{_GALAXY['name']}"
author = "Switchyard contributors"
release = _GALAXY["version"]
extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
highlight_language = "yaml"
html_theme = "alabaster"
html_title = f"{project} {release}"
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"description": _GALAXY["description"], "fixed_sidebar": True, "page_width": "1100px"}
myst_heading_anchors = 4

_ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
_THEIRS = {
    "action_plugins": "plugins/action.html",
    "common_return_values": "reference_appendices/common_return_values.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "list_of_collections": "collections/index.html",
}
"""Labels of Ansible's own documentation that ours leads to: the site is built without asking anybody for them."""
_BUILTIN = re.compile(r"^ansible_collections\.ansible\.builtin\.([a-z_]+)_module$")
_MODULE = re.compile(r"\(\.\./plugins/modules/([a-z_]+)\.py\)")
_INVENTORY = re.compile(r"\(\.\./plugins/inventory/([a-z_]+)\.py\)")
_ROLE = re.compile(r"\(\.\./roles/([a-z_]+)\)")
_ELSEWHERE = re.compile(r"\]\((?:\.\./([^)#]+)|([a-z.]+\.json))\)")
_PAGES = "collections/switchyard/fleet"


def _on_the_site(text: str) -> str:
    """A page whose links lead to where things are on the site, or to the repository where they are not on it."""
    text = _MODULE.sub(rf"({_PAGES}/\1_module.rst)", text)
    text = _INVENTORY.sub(rf"({_PAGES}/\1_inventory.rst)", text)
    text = _ROLE.sub(rf"({_PAGES}/\1_role.rst)", text)
    where = f"{_GALAXY['repository']}/blob/main"
    return _ELSEWHERE.sub(lambda found: f"]({where}/{found[1] or f'docs/{found[2]}'})", text)


def _theirs(_app, _environment, node, content):
    """A reference to Ansible's own documentation."""
    target = node.get("reftarget", "")
    page = _THEIRS.get(target) or _BUILTIN.sub(r"collections/ansible/builtin/\1_module.html", target)
    page = page if page.endswith(".html") else ""
    return nodes.reference("", "", content, internal=False, refuri=f"{_ANSIBLE}/{page}") if page else None


def setup(app):
    """Sphinx' entry."""

    def read(_app, name, source):
        if not name.startswith("collections/"):
            source[0] = _on_the_site(source[0])

    app.connect("source-read", read)
    app.connect("missing-reference", _theirs)
