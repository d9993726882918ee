# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates as declared become recipes in the order they are made in; what is there already is not made again."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.switchyard.fleet.plugins.filter.template_recipes import template_recipes
from ansible_collections.switchyard.fleet.plugins.filter.template_work import template_work


def recipes(directory: Path | str = "/nowhere", **templates: Any) -> list[dict[str, Any]]:
    return template_recipes(templates, str(directory))


def refusal(directory: Path | str = "/nowhere", **templates: Any) -> list[str]:
    with pytest.raises(AnsibleFilterError) as error:
        recipes(directory, **templates)
    head, *lines = str(error.value).splitlines()
    assert head == "nothing was changed:"
    return lines


def image(recipe: dict[str, Any], digest: str | None = None) -> dict[str, Any]:
    noted = recipe["recipe"] if digest is None else digest
    return {"aliases": [{"name": recipe["alias"]}], "properties": {"switchyard.recipe": noted}}


def test_bases_come_first_and_hand_on_their_release():
    made = recipes(
        pbx={"base": "house", "version": 4}, house={"base": "debian"}, debian={"release": "trixie"}, tiny=None
    )
    assert [each["alias"] for each in made] == [
        f"switchyard/{each}" for each in ("debian/1", "house/1", "pbx/4", "tiny/1")
    ]
    assert [each["release"] for each in made] == ["trixie", "trixie", "trixie", ""]
    assert made[2]["base"] == "switchyard/house/1"


def test_a_digest_changes_with_everything_a_template_is_made_of_and_with_nothing_else(tmp_path):
    (tmp_path / "motd").write_text("one")
    said = {"packages": ["jq"], "files": [{"path": "/etc/motd", "src": "motd"}], "first_boot": "#!/bin/sh\n"}
    [first] = recipes(tmp_path, a=said)
    assert base64.b64decode(first["files"][0]["content"]) == b"one"
    assert recipes(tmp_path, b={**said, "version": "2"})[0]["recipe"] == first["recipe"]
    others = [
        said | change for change in ({"packages": []}, {"first_boot": {"content": "x"}}, {"components": ["main"]})
    ]
    digests = {recipes(tmp_path, a=each)[0]["recipe"] for each in others}
    (tmp_path / "motd").write_text("two")
    digests.add(recipes(tmp_path, a=said)[0]["recipe"])
    assert len(digests | {first["recipe"]}) == 5


def test_every_mistake_is_told_with_its_place():
    lines = refusal(
        a={"base": "b"},
        b={"base": "a"},
        c={"base": "t"},
        t={"build": "busybox"},
        v={"kind": "vm"},
        m={"files": {"path": "/x", "content": "y", "mode": 644}},
        n={"files": {"path": "/x"}},
        r={"base": "t2", "release": "trixie"},
        two={"files": [{"path": "/x", "content": "1"}, {"path": "/x", "content": "2"}]},
        up={"files": {"path": "/etc/../root/x", "content": "1"}},
    )
    told = "\n".join(lines)
    for words in (
        'fleet_templates.a.base: "b": built on this one itself, by and by',
        'fleet_templates.c.base: "t": not built as a Debian',
        'fleet_templates.v.kind: "vm": only containers can be built so far',
        "fleet_templates.m.files.mode: 644: not a mode in quotes",
        "has neither content nor src",
        "base and release: its release is that of its base",
        "files has /x twice",
        'fleet_templates.up.files.path: "/etc/../root/x": not an absolute path',
    ):
        assert words in told, told


def test_a_file_that_is_not_there_is_named(tmp_path):
    [line] = refusal(tmp_path, a={"files": {"path": "/x", "src": "gone"}})
    assert (
        line == 'fleet_templates.a.files[0].src: "gone": No such file or directory; accepted: a file on the controller'
    )


def test_what_no_node_has_is_built_where_its_base_is_or_will_be():
    made = recipes(debian={}, pbx={"base": "debian"}, gold={"from": "pbx07"})
    work = template_work(made, {"n1": [], "n2": []}, "n1")
    assert [(each["name"], each["node"]) for each in work["build"]] == [("debian", "n1"), ("pbx", "n1")]
    assert [each["name"] for each in work["take"]] == ["gold"]
    there = {"n1": [], "n2": [image(made[0])]}
    assert [(each["name"], each["node"]) for each in template_work(made, there, "n1")["build"]] == [("pbx", "n2")]
    everything = {"n1": [image(each) for each in made], "n2": []}
    assert template_work(made, everything, "n1") == {"build": [], "take": [], "otherwise": []}


def test_another_content_under_the_same_version_is_noticed_where_it_was_noted():
    [debian] = recipes(debian={})
    assert template_work([debian], {"n1": [image(debian, "other")]}, "n1")["otherwise"] == ["switchyard/debian/1"]
    assert template_work([debian], {"n1": [image(debian, "")]}, "n1")["otherwise"] == []


def test_names_choose_templates_and_bring_their_bases():
    made = recipes(tiny={"build": "busybox"}, debian={}, house={"base": "debian"}, pbx={"base": "house"})
    work = template_work(made, {}, "n1", ["pbx"])
    assert [each["name"] for each in work["build"]] == ["debian", "house", "pbx"]
    with pytest.raises(AnsibleFilterError, match="template_names: pbz: no such template; accepted: debian, house, pbx"):
        template_work(made, {}, "n1", ["pbz"])
