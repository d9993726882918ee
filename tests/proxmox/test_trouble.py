# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a cluster, or with what is said of it, in words a new user understands; and nothing changed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import World, names


def message(output: str) -> str:
    """The error of a failed playbook, in one line."""
    found = re.search(r"^\[ERROR\]: (.*?)^(Origin|PLAY RECAP)", output, re.MULTILINE | re.DOTALL)
    assert found, output
    return " ".join(found.group(1).split())


def refused(world: World, playbook: str = "plan") -> str:
    """Why a playbook fails, and that it changed nothing."""
    before = world.writes()
    told = message(world.play(playbook, good=False))
    assert [call for call in world.writes() if "/pools" not in call] == [
        call for call in before if "/pools" not in call
    ]
    return told


def test_a_wrong_token_is_named_with_its_file(world: World) -> None:
    token = world.simulation / "pki" / "proxmox.token"
    token.write_text("root@pam!double=00000000-0000-4000-8000-000000000000\n")
    told = refused(world)
    assert "does not accept who we are" in told
    assert "proxmox.token" in told
    assert "00000000" not in told


def test_without_a_token_it_is_said_how_to_make_one(world: World) -> None:
    (world.simulation / "pki" / "proxmox.token").unlink()
    told = refused(world)
    assert "proxmox.token" in told
    assert "pveum user token add" in told


def test_a_token_that_ansible_vault_encrypted_is_used_with_the_vaults_password(world: World, tmp_path: Path) -> None:
    token, password = world.simulation / "pki" / "proxmox.token", tmp_path / "password"
    password.write_text("open sesame\n")
    vault = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", str(token)]
    subprocess.run([*vault, "--vault-password-file", str(password)], check=True, capture_output=True)
    assert token.read_text().startswith("$ANSIBLE_VAULT")
    world.declare(names(1, 1))
    assert "create pbx01" in world.play("plan", "--vault-password-file", str(password))
    assert "vault" in refused(world).lower()


def test_another_certificate_than_the_known_one_is_refused(world: World) -> None:
    world.declare({}, {"pve1": {"node_fingerprint": "ab" * 32}})
    (world.simulation / "hosts.yml").write_text(
        (world.simulation / "hosts.yml").read_text().replace(world.double.fingerprint, "ab" * 32)
    )
    told = refused(world)
    assert "pve1" in told
    assert "ab" * 32 in told
    assert world.double.fingerprint.replace(":", "").lower() in told


def test_without_a_quorum_nothing_is_changed(world: World) -> None:
    world.declare(names(1, 2))
    world.double.faults.lose_quorum()
    told = refused(world, "site")
    assert "quorum" in told
    assert world.there() == {}


def test_a_node_the_cluster_does_not_have_is_named_beside_those_it_has(world: World) -> None:
    world.declare(names(1, 2), {"pve1": {}, "node2": {"node_address": "127.0.0.1"}, "pve3": {}})
    output = world.play("plan")
    assert "node2" in output
    assert "no node of this name" in output
    assert "pve2" in output


def test_what_a_dead_node_carries_is_left_alone(world: World) -> None:
    world.declare(names(1, 6))
    world.apply()
    before = world.running()
    world.double.faults.kill("pve3")
    world.declare(names(1, 8))
    output = world.apply()
    assert "pve3 does not answer" in output
    there = world.there()
    assert all(there[name][0] == node for name, node in before.items())
    assert {there["pbx07"][0], there["pbx08"][0]} <= {"pve1", "pve2"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"vs_pool": "tank"}, ["tank", "local-zfs", "pve1"]),
        (
            {"fleet_templates": {"debian-12-standard": {"version": "12.7-1"}}},
            ["debian-12-standard", "12.7-1", "13.1-2"],
        ),
        ({"node_bridge": "vmbr7"}, ["vmbr7", "vmbr0", "pve1"]),
    ],
    ids=["pool", "template", "bridge"],
)
def test_what_the_nodes_do_not_have_is_found_before_anything_is_made(
    world: World, wrong: dict[str, object], words: list[str]
) -> None:
    world.fleet |= wrong
    world.declare(names(1, 2))
    told = refused(world, "site")
    assert all(word in told for word in words), told
    assert world.there() == {}
