# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a file: read whole, and written again with another account of the guest and nothing else changed."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import duplicate
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.archive import (
    Archive,
    Unfit,
    read,
    rewritten,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guest import MARK
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.incoming import described, incoming
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Network,
    Node,
    Server,
    Size,
)

NODE = Node("node2", "10.0.0.2")
SERVER = Server("pbx", Size(1, 64, 100), "tiny", interfaces=(Interface("lan", "10.9.0.5"),))
FLEET = Fleet("here", "incus", {"node2": NODE}, {"pbx": SERVER}, networks={"lan": Network("lan", "10.9.0.0/24")})
IDMAP = '[{"Isuid":true,"Isgid":false,"Hostid":1000000,"Nsid":0,"Maprange":100000000}]'
GUEST: dict[str, Any] = {
    "name": "pbx",
    "type": "container",
    "architecture": "x86_64",
    "profiles": [],
    "created_at": "2026-11-21T16:57:44.723967982Z",
    "config": {
        f"{MARK}fleet": "there",
        f"{MARK}server": "pbx",
        f"{MARK}role": "primary",
        f"{MARK}generation": "2007",
        f"{MARK}template": "tiny",
        f"{MARK}template_version": "3",
        f"{MARK}tenant": "acme",
        f"{MARK}interfaces_spec": '[["lan", "10.9.0.5"]]',
        f"{MARK}replicas": "node3",
        f"{MARK}pair": "node1 node3",
        f"{MARK}keeps": "running",
        f"{MARK}failover": "{}",
        f"{MARK}home": "node3",
        f"{MARK}move": "to node3 running",
        f"{MARK}replica.interval": "60",
        "boot.autostart": "false",
        "limits.memory": "64MiB",
        "security.nesting": "true",
        "volatile.last_state.idmap": IDMAP,
        "volatile.last_state.power": "RUNNING",
        "volatile.idmap.base": "0",
        "volatile.uuid": "11111111-2222-3333-4444-555555555555",
        "volatile.eth0.host_name": "veth1",
    },
    "devices": {"root": {"type": "disk", "path": "/", "pool": "fast", "size": "100MiB"}},
}
STAYS = {f"{MARK}{key}" for key in ("replicas", "pair", "keeps", "failover", "home", "move", "replica.interval")}


def packed(path: Path, pack: Any = gzip.compress, guest: dict[str, Any] | None = None) -> Archive:
    """A file as a node makes it: documents, and files of all kinds between and after them."""
    buffer = io.BytesIO()
    config = {"container": guest or GUEST, "pool": {"name": "fast"}, "volume": {"name": "pbx"}}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "backup/index.yaml", yaml.safe_dump({"name": "pbx", "backend": "btrfs", "config": config}).encode())
        _add(tar, "backup/container/rootfs/etc/passwd", b"root" * 999, uid=1000033)
        _add(tar, "backup/container/backup.yaml", yaml.safe_dump(config).encode(), mode=0o400, uid=1000000)
        caps = b"\x01\x00\x00\x02\x00 \x00\x00\xff\xfe".decode("utf-8", "surrogateescape")
        _add(tar, "backup/container/rootfs/bin/ping", b"\x7fELF", pax={"SCHILY.xattr.security.capability": caps})
        _add(tar, f"backup/container/rootfs/{'long/' * 60}name", b"x" * 513)
        link = tarfile.TarInfo("backup/container/rootfs/hard")
        link.type, link.linkname = tarfile.LNKTYPE, "backup/container/rootfs/bin/ping"
        tar.addfile(link)
        # Somebody's own file of that name is none of Incus'.
        _add(tar, "backup/container/rootfs/srv/backup/index.yaml", b"mine")
    path.write_bytes(pack(buffer.getvalue()))
    return read(str(path))


def _add(tar: tarfile.TarFile, name: str, content: bytes, **how: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid = len(content), how.get("mode", 0o644), how.get("uid", 0)
    info.pax_headers = how.get("pax", {})
    tar.addfile(info, io.BytesIO(content))


class Tagged(str):
    """Text as it comes from Ansible, which attaches to it where it is from."""


def members(content: bytes) -> list[tuple[Any, ...]]:
    """Every member of a tar archive, and all there is to know of it."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for each in tar:
            inside = tar.extractfile(each).read() if each.isreg() else b""
            found.append((each.name, each.type, each.mode, each.uid, each.linkname, each.pax_headers, inside))
    return found


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes], ids=["gzip", "xz", "plain"])
def test_all_but_the_account_of_the_guest_stays_byte_for_byte(tmp_path: Path, pack: Any) -> None:
    archive = packed(tmp_path / "file", pack)
    length, pieces = rewritten(archive, {"name": Tagged("new"), "config": {Tagged("a"): Tagged("b")}, "devices": {}})
    made = b"".join(pieces)
    assert len(made) == length
    raw = (tmp_path / "file").read_bytes()
    before = members({gzip.compress: gzip.decompress, lzma.compress: lzma.decompress, bytes: bytes}[pack](raw))
    after = members(made)
    changed = [now for was, now in zip(before, after, strict=True) if was != now]
    assert [each[0] for each in changed] == ["backup/index.yaml", "backup/container/backup.yaml"]
    for each in changed:
        document = yaml.safe_load(each[6])
        guest = document.get("config", document)["container"]
        assert (guest["name"], guest["config"], guest["expanded_config"]) == ("new", {"a": "b"}, {"a": "b"})
        assert guest["created_at"] == GUEST["created_at"], "a moment is written as it was read"


def test_what_is_no_export_is_told(tmp_path: Path) -> None:
    packed(tmp_path / "file")
    whole = (tmp_path / "file").read_bytes()
    for content, said in (
        (b"", "no export"),
        (whole[:-20], "damaged"),
        (whole[:100], "damaged"),
        (gzip.compress(b"x" * 9999), "no export"),
        (b"\x28\xb5\x2f\xfdzzz", "zstd"),
    ):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(Unfit, match=said):
            read(str(tmp_path / "bad"))


def test_back_as_itself_it_keeps_its_identity_and_nothing_that_others_did_for_it(tmp_path: Path) -> None:
    archive = packed(tmp_path / "file")
    made = incoming(archive, SERVER, NODE, FLEET)
    config = made["config"]
    assert config[f"{MARK}fleet"] == "here"
    assert config[f"{MARK}generation"] == "2008"
    assert config["volatile.uuid"] == GUEST["config"]["volatile.uuid"]
    assert config["volatile.last_state.idmap"] == IDMAP, "or its files would be somebody else's"
    assert config["volatile.last_state.power"] == "STOPPED"
    assert config[duplicate.IMPORTED] == archive.checksum
    assert config[f"{MARK}template_version"] == "3"
    assert config["security.nesting"] == "true"
    assert not STAYS & config.keys() and duplicate.COPIED not in config and "boot.autostart" not in config


def test_a_new_one_has_none_of_that_either(tmp_path: Path) -> None:
    archive = packed(tmp_path / "file")
    config = incoming(archive, replace(SERVER, name="new"), NODE, FLEET)["config"]
    assert config[duplicate.COPIED] == "pbx"
    assert (config[f"{MARK}server"], config[f"{MARK}generation"]) == ("new", "1")
    assert "volatile.uuid" not in config and not STAYS & config.keys()


def test_one_that_was_adopted_keeps_its_hardware_addresses(tmp_path: Path) -> None:
    guest = {**GUEST, "config": {**GUEST["config"], f"{MARK}adopted": "1", "volatile.eth0.hwaddr": "02:00:00:00:00:07"}}
    archive = packed(tmp_path / "file", guest=guest)
    assert incoming(archive, SERVER, NODE, FLEET)["devices"]["eth0"]["hwaddr"] == "02:00:00:00:00:07"
    new = incoming(archive, replace(SERVER, name="new"), NODE, FLEET)
    assert new["devices"]["eth0"]["hwaddr"] != "02:00:00:00:00:07"


def test_the_server_is_told_as_it_was_whichever_fleets_it_was(tmp_path: Path) -> None:
    told = described(packed(tmp_path / "file"), FLEET)
    assert (told.name, told.tenant, told.size.memory, told.size.disk) == ("pbx", "acme", 64, 100)
    assert told.interfaces == (Interface("lan", "10.9.0.5"),)
    assert (told.fleet, told.pool, told.template_version) == ("here", "fast", "3")
