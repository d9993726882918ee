# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator's day, typed from docs/operators-day.md, while a telephone registers at every PBX there is."""

from __future__ import annotations

import json
import re
import shutil
import time

import pytest
from support.documents import Desk, told
from support.lab import INVENTORY
from support.phone import Phone

pytestmark = pytest.mark.lab

PAGE = "docs/operators-day.md"
HOSTS = "---\nnodes:\n  hosts:\n    node[1:3]:\nvirtual_servers:\n  hosts: {}\n"
"""The demo's servers are not needed for this day, and its nodes are too small to wait for them."""


class Day:
    """Who is there, at which address, with which password."""

    def __init__(self, lab, desk: Desk, phone: Phone) -> None:
        self.lab, self.desk, self.phone = lab, desk, phone
        self.passwords: dict[str, str] = {}
        self.calls = 0

    def guests(self) -> dict[str, dict]:
        """Every server of the day, as Incus on the nodes tells."""
        found = {}
        for node in self.lab.facts["nodes"]:
            for raw in json.loads(self.lab.ssh(node, "incus", "list", "-f", "json")):
                if raw["name"].split("-")[0] in ("acme", "globex", "initech"):
                    assert raw["name"] not in found, "it is there twice"
                    found[raw["name"]] = {**raw, "node": node}
        return found

    def everybody_telephones(self) -> None:
        """A phone registers at each server that runs."""
        for name, raw in self.guests().items():
            assert raw["status"] == "Running", name
            (leg,) = json.loads(raw["config"]["user.switchyard.interfaces_spec"])
            password = self.password(name, raw)
            assert self.phone.registers(leg[1], password), f"no phone can register at {name}"
            self.calls += 1

    def password(self, name: str, raw: dict) -> str:
        """The password of the phone, read once; a server that is made anew has another."""
        born = raw["config"]["volatile.uuid"]
        if born not in self.passwords:
            self.passwords[born] = self.lab.ssh(
                raw["node"], f"incus exec {name} -- cat /root/phone-100 < /dev/null"
            ).strip()
        return self.passwords[born]


@pytest.fixture
def day(lab, tmp_path):
    if not shutil.which("sipp"):
        pytest.skip("needs sipp (Debian: sip-tester)")
    desk = Desk(tmp_path, INVENTORY, lab.name)
    (tmp_path / "inventories/lab/hosts.yml").write_text(HOSTS)
    lab.playbook("site", inventory=tmp_path / "inventories/lab")
    yield Day(lab, desk, Phone(tmp_path))
    (tmp_path / "inventories/lab/tenants.yml").unlink(missing_ok=True)
    lab.playbook("site", inventory=tmp_path / "inventories/lab", extra={"apply_prune": "all"})
    assert [guest for guest in lab.guests() if guest[0].split("-")[0] in ("acme", "globex", "initech")] == []


def test_the_day(day):
    began = time.monotonic()
    came: dict[str, str] = {}
    seen: list[set[str]] = []
    spent = []
    for each in told(PAGE):
        start = time.monotonic()
        came[each.text] = day.desk.do(each)
        spent.append((time.monotonic() - start, each.text[:90]))
        if not each.path:
            day.everybody_telephones()
            seen.append(set(day.guests()))
    took = time.monotonic() - began
    print("\n".join(f"{seconds:6.1f} s  {text}" for seconds, text in spent), f"\n{took:.0f} s, {day.calls} calls")
    three = {"acme-pbx", "globex-pbx", "initech-pbx"}
    assert three in seen and three | {"acme-trial"} in seen
    guests = day.guests()
    assert set(guests) == {"acme-pbx", "globex-pbx"}
    assert guests["acme-pbx"]["config"]["limits.memory"] == "384MiB"
    versions = {name: raw["config"]["user.switchyard.template_version"] for name, raw in guests.items()}
    assert versions == {"acme-pbx": "1", "globex-pbx": "2"}
    assert "nothing to do" in came["ansible-playbook switchyard.fleet.plan"]
    assert (day.desk.folder / "globex-pbx.tar.gz").stat().st_size > 10_000_000
    usage = next(text for command, text in came.items() if "gather_subset=usage" in command)
    assert re.search(r"uptime_seconds['\"]?: [1-9]", usage), usage
    assert day.calls >= 30
