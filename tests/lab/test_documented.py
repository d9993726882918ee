# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages tell a person to type, typed: on the demo's inventory, in which everybody is a tiny server."""

from __future__ import annotations

import time

import pytest
from support.documents import NOT_TYPED, TOUR, Desk, told
from support.lab import INVENTORY

pytestmark = [pytest.mark.lab, pytest.mark.long]

GROUPS = ("databases", "sip_routers")
"""Whose servers are Debian in the demo: building that, and twelve seconds of starts, shows nothing here."""


@pytest.fixture(scope="module")
def desk(lab, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("desk")
    desk = Desk(tmp_path, INVENTORY, lab.name)
    inventory = tmp_path / "inventories/lab"
    for group in GROUPS:
        path = inventory / "group_vars" / f"{group}.yml"
        text = path.read_text().replace("vs_template: debian", "vs_template: tiny")
        path.write_text(text.replace("{type: tcp, port: 22, timeout: 60s}", "{type: http, port: 80}"))
    everybody = inventory / "group_vars/all.yml"
    everybody.write_text(everybody.read_text().replace("template_names: [tiny, debian]", "template_names: [tiny]"))
    hosts = inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("pbx[01:12]:", "pbx[01:12]:\n        pbx042:"))
    lab.playbook("site", inventory=inventory)
    yield desk
    hosts.write_text("---\nnodes:\n  hosts:\n    node[1:3]:\nvirtual_servers:\n  hosts: {}\n")
    lab.playbook("site", inventory=inventory, extra={"apply_prune": "all"})


@pytest.mark.parametrize("page", TOUR)
def test_everything_the_page_tells_to_type_works(desk, page):
    spent = []
    for each in told(page):
        if each.text in NOT_TYPED:
            continue
        start = time.monotonic()
        desk.do(each)
        spent.append(f"{time.monotonic() - start:6.1f} s  {each.text[:90]}")
    print("\n".join(spent))
    assert spent
