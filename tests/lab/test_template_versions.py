# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of a template on real nodes: what is in them, a server rolled onto the next one, one taken from a server,
and the end of those nobody uses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.tasks import came

pytestmark = [pytest.mark.lab, pytest.mark.long]

# What a server has of its own, and nobody else: written at its first start, before its network is up.
FIRST_BOOT = """#!/bin/sh
set -eu
! ip address show dev eth0 | grep -q 'inet '
head -c 16 /dev/urandom | base64 > /etc/house-secret
echo once >> /etc/house-count
"""
SERVER = {"vs_class": "house", "vs_template": "house", "vs_checks": [{"type": "tcp", "port": 22, "timeout": "60s"}]}


def house(version: int, motd: str) -> dict[str, Any]:
    return {
        "base": "debian",
        "version": version,
        "packages": ["bc"],
        "files": [
            {"path": "/etc/motd", "content": motd},
            {"path": "/etc/house/key", "content": "x", "mode": "0640", "owner": "daemon", "group": "mail"},
        ],
        "first_boot": FIRST_BOOT,
    }


class Templates:
    """The templates of a world, as its operator makes and looks at them."""

    def __init__(self, world) -> None:
        self.world = world
        world.fleet["fleet_templates"] = {"tiny": {"build": "busybox"}, "debian": {"build": "debian"}}
        world.fleet["fleet_classes"] = {
            **world.fleet["fleet_classes"],
            "house": {"cores": 1, "memory": "256MiB", "disk": "1GiB"},
        }
        lan = world.fleet["fleet_networks"]["lan"]
        world.fleet["fleet_networks"] = {"lan": {**lan, "reserved": [*lan["reserved"], f"{world.prefix}.251"]}}
        self.servers: dict[str, dict[str, Any]] = {}

    def declare(self, servers: dict[str, dict[str, Any]] | None = None, **templates: dict[str, Any]) -> None:
        self.world.fleet["fleet_templates"] = {**self.world.fleet["fleet_templates"], **templates}
        self.servers = self.servers if servers is None else servers
        self.world.declare({name: SERVER | said for name, said in self.servers.items()})

    def make(self, *arguments: str, **extra: Any) -> bool:
        """Whether the playbook says that it changed, or would change, anything on a node."""
        said = self.world.play("templates", *arguments, **extra)
        return bool(re.search(r"changed=[1-9]", said))

    def versions(self) -> dict[tuple[str, str], dict[str, Any]]:
        (found,) = came(self.world, {"switchyard.fleet.template_info": {}})
        return {(row["name"], row["version"]): row for row in found["templates"]}

    def again(self, name: str) -> None:
        """A server made anew, by the name it has."""
        ways: tuple[dict[str, Any], ...] = ({"state": "absent", "force": True}, {"state": "started"})
        for result in came(self.world, *({"switchyard.fleet.virtual_server": {"name": name, **way}} for way in ways)):
            assert not result.get("failed"), result["msg"]

    def refused(self, asked: dict[str, dict[str, Any]]) -> None:
        """Tasks of the module template that fail, each with these words."""
        results = came(self.world, *({"switchyard.fleet.template": options} for options in asked.values()))
        for said, result in zip(asked, results, strict=True):
            assert result.get("failed") and said in result["msg"], (said, result)

    def inside(self, name: str, command: str) -> str:
        """What a command in a server prints."""
        node = self.world.running()[name]
        return str(self.world.lab.ssh(node, f"incus exec {name} -- sh -c {command!r} < /dev/null")).strip()


@pytest.fixture
def templates(world):
    found = Templates(world)
    yield found
    world.fleet["fleet_templates"] = {"tiny": {"build": "busybox"}, "debian": {"build": "debian"}}
    world.declare()
    world.apply(apply_prune=["all"])
    world.play("templates", template_remove_unused="all")
    assert not [key for key in found.versions() if key[0] in ("house", "gold")]


def test_a_server_is_rolled_onto_a_new_version_and_the_old_one_goes_with_its_last_user(templates):
    world = templates.world
    servers = {name: {"vs_address": f"{world.prefix}.{last}"} for name, last in (("house-a", 231), ("house-b", 232))}
    templates.declare(servers, house=house(1, "one"))
    assert templates.make("--check")
    assert ("house", "1") not in {key for key, row in templates.versions().items() if row["nodes"]}
    assert templates.make() and not templates.make()
    world.apply()
    for name in servers:
        assert templates.inside(name, "cat /etc/motd; echo 2*3 | bc; cat /etc/house-count") == "one6\nonce"
        assert templates.inside(name, "stat -c '%a %U:%G' /etc/house/key") == "640 daemon:mail"
    secrets = {templates.inside(name, "cat /etc/house-secret") for name in servers}
    assert len(secrets) == 2

    templates.declare(house=house(2, "two"))
    templates.make()
    seen = templates.versions()
    assert seen["house", "1"]["servers"] == ["house-a", "house-b"] and not seen["house", "1"]["unused"]
    assert seen["house", "2"]["declared"] and seen["house", "2"]["servers"] == []
    used = "template house 1 is not removed: made from it: house-a, house-b"
    templates.refused({used: {"name": "house", "version": "1", "state": "absent"}})

    templates.again("house-a")
    assert templates.inside("house-a", "cat /etc/motd") == "two"
    assert templates.inside("house-a", "ip -4 -o address show dev eth0").split()[3] == f"{world.prefix}.231/24"
    assert templates.inside("house-b", "cat /etc/motd") == "one"
    seen = templates.versions()
    assert (seen["house", "1"]["servers"], seen["house", "2"]["servers"]) == (["house-b"], ["house-a"])
    assert not templates.make(), "a version that is used stays"

    templates.again("house-b")
    assert templates.make("--check") and ("house", "1") in templates.versions()
    assert not templates.make(template_remove_unused="none")
    assert templates.make()
    assert ("house", "1") not in templates.versions()
    assert templates.inside("house-b", "cat /etc/motd") == "two"


def test_a_template_is_taken_from_a_server_that_runs_and_goes_on(templates):
    world = templates.world
    first = {"house-a": {"vs_address": f"{world.prefix}.231"}}
    templates.declare(first, house=house(1, "one"))
    templates.make()
    world.apply()
    templates.inside("house-a", "echo set up by hand > /etc/by-hand; touch /root/.bash_history")
    known = "cat /etc/machine-id /etc/house-secret /etc/ssh/ssh_host_ed25519_key.pub"
    source, since = templates.inside("house-a", known), templates.inside("house-a", "stat -c %Y /proc/1")
    guests = world.lab.guests()

    templates.declare(gold={"from": "house-a", "version": 1})
    assert templates.make("--check") and not templates.versions()["gold", "1"]["nodes"]
    assert templates.make() and not templates.make()
    assert world.lab.guests() == guests and templates.inside("house-a", "stat -c %Y /proc/1") == since
    assert templates.versions()["gold", "1"]["taken_from"] == "house-a"

    more = {"gold-a": {"vs_address": f"{world.prefix}.233", "vs_template": "gold"}}
    more["gold-b"] = {"vs_address": f"{world.prefix}.234", "vs_template": "gold"}
    templates.declare(first | more)
    world.apply()
    seen = [source, *(templates.inside(name, known) for name in more)]
    for one, other, third in zip(*(each.splitlines() for each in seen), strict=True):
        assert len({one.split(" root@")[0], other.split(" root@")[0], third.split(" root@")[0]}) == 3
    for name in more:
        assert templates.inside(name, "hostname; cat /etc/by-hand; ls -A /root").startswith(f"{name}\nset up by hand")
        assert ".bash_history" not in templates.inside(name, "ls -A /root")

    # The next version comes from one that does not run. The first cannot be made again, and stays until told to go.
    templates.inside("house-a", "echo again > /etc/by-hand")
    templates.declare(first, gold={"from": "house-a", "version": 2})
    world.apply(apply_prune=["gold-a", "gold-b"])
    (rests,) = came(world, {"switchyard.fleet.virtual_server": {"name": "house-a", "state": "stopped"}})
    assert not rests.get("failed"), rests["msg"]
    assert templates.make()
    assert templates.versions()["gold", "1"]["unused"]
    assert not templates.make()
    assert templates.make(template_remove_unused="all")
    assert [key for key in templates.versions() if key[0] == "gold"] == [("gold", "2")]


def test_what_cannot_be_taken_or_removed_is_said(templates):
    world = templates.world
    templates.declare({"plain": {"vs_class": "pbx", "vs_template": "tiny", "vs_checks": []}})
    world.apply()
    before = world.lab.guests()
    node = world.running()["plain"]
    templates.declare(gold={"from": "nobody", "version": 1})
    said = templates.world.play("templates", check=False)
    assert "from_server: nobody: no such server of this fleet is there" in " ".join(said.split())
    templates.refused(
        {
            "the inventory declares it": {"name": "tiny", "version": "1", "state": "absent"},
            "version: 7: the inventory declares version 1": {"name": "gold", "version": "7", "from_server": "plain"},
            "no such template; accepted: one of fleet_templates": {"name": "other", "from_server": "plain"},
            "state present needs from_server": {"name": "gold"},
            "state absent needs version": {"name": "gold", "state": "absent"},
            "state absent does not take from_server": {"name": "gold", "state": "absent", "from_server": "plain"},
        }
    )
    # Somebody else's guest of the name a copy aside would have.
    world.lab.ssh(node, "incus init -q switchyard/tiny/1 switchyard-aside-gold --no-profiles -s default < /dev/null")
    theirs = "a guest switchyard-aside-gold is there that is not ours"
    templates.refused({theirs: {"name": "gold", "from_server": "plain"}})
    world.lab.ssh(node, "incus delete switchyard-aside-gold")
    assert world.lab.guests() == before
