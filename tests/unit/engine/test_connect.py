# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to an engine, without anybody being contacted."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, NotInstalled
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.connect import connect
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node

FLEET = Fleet("f", "incus", {name: Node(name, "192.0.2.1") for name in ("node1", "node2")}, {})


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    (tmp_path / "nodes").mkdir()
    for name in ("controller", "nodes/node1"):
        files = ["-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.crt")]
        subprocess.run([*key.split(), *files], check=True, capture_output=True)
    return tmp_path


def test_a_declared_fingerprint_needs_no_file(pki: Path) -> None:
    nodes = {**FLEET.nodes, "node2": replace(FLEET.nodes["node2"], fingerprint="ab" * 32)}
    connect(replace(FLEET, nodes=nodes), str(pki)).close()


def test_a_node_nobody_installed_yet_does_not_keep_us_from_the_others(pki: Path) -> None:
    connect(FLEET, str(pki)).close()


def test_a_fleet_nobody_installed_is_told_from_one_that_is_broken(pki: Path) -> None:
    (pki / "nodes" / "node1.crt").unlink()
    with pytest.raises(NotInstalled, match="no node's certificate") as caught:
        connect(FLEET, str(pki))
    assert "node role" in caught.value.hint
    with pytest.raises(NotInstalled, match=r"controller\.crt is missing"):
        connect(FLEET, str(pki / "elsewhere"))


def test_a_spoiled_certificate_is_named(pki: Path) -> None:
    (pki / "nodes" / "node2.crt").write_text("not a certificate")
    with pytest.raises(EngineError, match=r"node2\.crt"):
        connect(FLEET, str(pki))


def test_a_key_that_does_not_fit_is_an_error_that_does_not_show_it(pki: Path) -> None:
    (pki / "nodes" / "node2.crt").write_bytes((pki / "nodes" / "node1.crt").read_bytes())
    (pki / "controller.key").write_bytes((pki / "nodes" / "node1.key").read_bytes())
    with pytest.raises(EngineError, match=r"controller\.key") as caught:
        connect(FLEET, str(pki))
    assert "BEGIN" not in str(caught.value)


PROXMOX = replace(FLEET, engine="proxmox")


@pytest.mark.parametrize(
    ("name", "text"), [("proxmox.token", "root@pam!fleet=1234-5678\n"), ("proxmox.password", "ops@pve:pass:word\n")]
)
def test_a_token_or_a_password_is_all_a_cluster_takes(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    engine = connect(PROXMOX, str(tmp_path))
    assert (engine.name, engine.calls) == ("proxmox", 0)
    engine.close()


def test_a_cluster_nobody_gave_a_token_for_is_told_from_one_with_a_spoiled_one(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=r"proxmox\.token nor proxmox\.password is there \(make an API token"):
        connect(PROXMOX, str(tmp_path))
    (tmp_path / "proxmox.token").write_text("sesame\n")
    with pytest.raises(EngineError, match=r"does not hold user@realm!name=secret") as caught:
        connect(PROXMOX, str(tmp_path))
    assert "sesame" not in str(caught.value)
