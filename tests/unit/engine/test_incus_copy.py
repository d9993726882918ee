# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of servers on one Incus node: what is written on them, what is taken out of them, and being cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.hardware_address import hardware_address
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import duplicate, guest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.client import Answer, Client, Missing
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.copy import Copy
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.instances import Instances
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Network,
    Node,
    Server,
    Size,
    Template,
)

NODE = Node("node1", "192.0.2.1")
LAN = Network("lan", "10.0.0.0/24")
SOURCE = Server(
    "pbx-01", Size(0.5, 512, 2048), "debian", tenant="acme", interfaces=(Interface("lan", "10.0.0.10"),) * 2
)
COPY = replace(SOURCE, name="pbx-02", size=Size(2, 512, 4096), tenant="", interfaces=(Interface("lan", "10.0.0.11"),))
FLEET = Fleet(
    "prod",
    "incus",
    {"node1": NODE},
    {each.name: each for each in (SOURCE, COPY)},
    templates={"debian": Template("debian", version="13")},
    networks={"lan": LAN},
)
BORN = {"volatile.apply_template": "copy", "volatile.uuid": "of its own"}
FILES = {
    "/etc": ["hostname", "machine-id", "ssh"],
    "/etc/ssh": ["sshd_config", "ssh_host_rsa_key", "ssh_host_rsa_key.pub"],
    "/etc/systemd/system/ssh.service.d": ["switchyard.conf"],
}


def raw(server: Server = SOURCE, **config: str) -> dict[str, Any]:
    """What Incus tells of a server made from a template that has run since."""
    body = deepcopy(
        guest.instance(server, NODE, replace(FLEET, templates={"debian": Template("debian", version="12")}))
    )
    noted = {"volatile.uuid": "source", "volatile.last_state.power": "RUNNING", "user.switchyard.adopted": "1"}
    return {**body, "config": body["config"] | noted | {"raw.lxc": "x", "boot.autostart": "true"} | config,
            "status": "Stopped", "architecture": "x86_64", "ephemeral": False}  # fmt: skip


class Incus:
    """A node that copies within itself as Incus does: what is not given comes from the source."""

    def __init__(self, **instances: dict[str, Any]) -> None:
        self.node, self.limits, self.url = "node1", FLEET.limits, "https://node1"
        self.instances = {each["name"]: each for each in instances.values()}
        self.files = {path: list(names) for path, names in FILES.items()}
        self.emptied: list[str] = []
        self.dies_at = ""

    def get(self, path: str, attempt: str, **_more: Any) -> Answer:
        if path.startswith("/1.0/operations"):
            return Answer({})
        name, _mark, rest = path.removeprefix("/1.0/instances/").partition("/files?path=")
        found: Any = self.files.get(unquote(rest)) if rest else self.instances.get(name)
        if found is None:
            raise Missing("node1", attempt, "not found")
        return Answer(deepcopy(found), etag=json.dumps(found))

    def send(self, method: str, path: str, attempt: str, body: Any = None, *, etag: str = "") -> Answer:
        self._die(method, attempt)
        name, _mark, file = path.removeprefix("/1.0/instances").strip("/").partition("/files?path=")
        if method == "DELETE" and file:
            folder, _slash, name = unquote(file).rpartition("/")
            self.files[folder].remove(name)
        elif method == "DELETE":
            del self.instances[name]
        elif method == "POST":
            source = self.instances[body["source"]["source"]]
            given = {key: value for key, value in source["config"].items() if not key.startswith("volatile.")}
            config = given | body["config"] | BORN
            devices = source["devices"] | body["devices"]
            self.instances[body["name"]] = {**source, **body, "config": config, "devices": devices, "status": "Stopped"}
        elif method == "PUT" and name.endswith("/state"):
            self.instances[name.removesuffix("/state")]["status"] = "Running"
        else:
            assert etag == json.dumps(self.instances[name]), "it is what was read"
            self.instances[name] |= body
        return Answer({})

    def upload(self, path: str, attempt: str, content: bytes, headers: Mapping[str, str]) -> None:
        self._die("UPLOAD", attempt)
        assert content == b"" and headers["X-Incus-write"] == "overwrite"
        self.emptied.append(unquote(path.partition("?path=")[2]))

    def _die(self, method: str, attempt: str) -> None:
        if method == self.dies_at:
            self.dies_at = ""
            raise Unreachable("node1", attempt, "cut off")


def copy(incus: Incus, server: Server = COPY) -> None:
    client: Client = incus  # type: ignore[assignment]
    Copy(FLEET, server, name=SOURCE.name, source=client, target=client, progress=lambda _words: None)()


def check(made: dict[str, Any]) -> None:
    """It is the declared server, and nothing of its source but what was on its disk."""
    body = guest.instance(COPY, NODE, FLEET)
    ours = {key: value for key, value in made["config"].items() if key.startswith(("user.switchyard.", "limits."))}
    wanted = {key: value for key, value in body["config"].items() if key.startswith(("user.switchyard.", "limits."))}
    assert ours == wanted | {"user.switchyard.template_version": "12"}, "it has what its source was made from"
    assert made["devices"] == body["devices"]
    assert made["devices"]["eth0"]["hwaddr"] == hardware_address("prod", COPY.name, 0)
    assert made["config"]["volatile.uuid"] == "of its own" and made["config"]["raw.lxc"] == "x"
    assert "boot.autostart" not in made["config"]


def test_a_copy_is_a_server_of_its_own_and_another_machine() -> None:
    incus = Incus(source=raw())
    before = deepcopy(incus.instances[SOURCE.name])
    copy(incus)
    check(incus.instances[COPY.name])
    assert incus.instances[SOURCE.name] == before
    assert incus.emptied == ["/etc/machine-id"] and incus.files["/etc/ssh"] == ["sshd_config"]
    done = deepcopy(incus.instances)
    copy(incus)
    assert incus.instances == done and len(incus.emptied) == 1, "asked for again"


def test_host_keys_stay_where_nobody_makes_new_ones() -> None:
    incus = Incus(source=raw())
    del incus.files["/etc/systemd/system/ssh.service.d"]
    copy(incus)
    assert "ssh_host_rsa_key" in incus.files["/etc/ssh"]


@pytest.mark.parametrize("moment", ["POST", "UPLOAD", "DELETE", "PUT"])
def test_whoever_is_cut_off_goes_on(moment: str) -> None:
    incus = Incus(source=raw())
    incus.dies_at = moment
    with pytest.raises(EngineError):
        copy(incus)
    if moment != "POST":
        assert incus.instances[COPY.name]["config"][duplicate.COPIED] == SOURCE.name
    copy(incus)
    check(incus.instances[COPY.name])


def test_one_that_was_cut_off_is_made_its_own_by_its_start() -> None:
    incus = Incus(source=raw())
    incus.dies_at = "UPLOAD"
    with pytest.raises(EngineError):
        copy(incus)
    instances = Instances(FLEET, incus)  # type: ignore[arg-type]
    instances.start(COPY.name)
    check(incus.instances[COPY.name])
    assert incus.emptied == ["/etc/machine-id"]
    incus.instances[COPY.name] |= {"status": "Stopped"}
    incus.instances[COPY.name]["config"][duplicate.COPIED] = SOURCE.name
    with pytest.raises(Refused, match="it is a copy that was not finished"):
        Instances(replace(FLEET, servers={}), incus).start(COPY.name)  # type: ignore[arg-type]


def test_half_a_copy_is_thrown_away_and_not_started() -> None:
    half = {**raw(COPY, **{duplicate.COPIED: SOURCE.name}), "last_used_at": "1970-01-01T00:00:00Z"}
    del half["config"]["volatile.last_state.power"]
    incus = Incus(source=raw(), half=half)
    with pytest.raises(Refused, match="its copying was cut off half way"):
        Instances(FLEET, incus).start(COPY.name)  # type: ignore[arg-type]
    copy(incus)
    check(incus.instances[COPY.name])


@pytest.mark.parametrize(
    ("source", "server", "words"),
    [
        (raw(), replace(COPY, size=Size(1, 512, 1024)), r"has 2048 MiB, pbx-02 is to have 1024 MiB, and disks only"),
        (raw(**{"user.switchyard.role": "replica"}), COPY, "the copy there is a replica"),
        (raw(**{"user.switchyard.move": "to node2 running"}), COPY, "on its way to another node"),
        (raw(**{"user.switchyard.fleet": "other"}), COPY, "belongs to fleet other"),
    ],
)
def test_what_cannot_be_copied_is_refused(source: dict[str, Any], server: Server, words: str) -> None:
    incus = Incus(source=source)
    with pytest.raises(Refused, match=words):
        copy(incus, server)
    assert list(incus.instances) == [SOURCE.name]


def test_a_stranger_of_the_name_is_left_alone() -> None:
    stranger = raw(COPY, **{"user.switchyard.fleet": ""})
    incus = Incus(source=raw(), stranger=stranger)
    with pytest.raises(Refused, match="does not bear the mark of fleet prod"):
        copy(incus)
    assert incus.instances[COPY.name] == stranger
