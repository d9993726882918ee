# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's own command says, as its API would."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.pvesh import Pvesh, answer, readable


def command(folder: Path, script: str) -> Pvesh:
    path = folder / "pvesh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Pvesh(str(path))


def test_words_are_those_of_the_command_and_truth_is_a_number(tmp_path: Path) -> None:
    pvesh = command(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/words; echo "[1]"')
    assert pvesh.send("PUT", "/storage/x", "try", {"shared": True, "content": ["a", "b"], "pool": "tank/vm x"}) == [1]
    assert (tmp_path / "words").read_text().splitlines() == [
        *("set", "/storage/x", "--shared", "1", "--content", "a", "--content", "b", "--pool", "tank/vm x"),
        *("--output-format", "json"),
    ]


def test_a_log_may_stand_before_the_answer() -> None:
    upid = "UPID:pve1:0001:0002:0003:download:x:root@pam:"
    assert answer(f'downloading x\n100%\n"{upid}"\n') == upid
    assert answer(f"downloading x\n{upid}\n") == upid
    assert answer("") is None and answer("\n") is None
    assert answer('{\n "a": 1\n}\n') == {"a": 1}


def test_a_refusal_is_told_without_the_usage(tmp_path: Path) -> None:
    pvesh = command(tmp_path, "printf 'create storage failed: no quorum!\\n\\nUSAGE: pvesh create\\n' >&2; exit 255")
    with pytest.raises(Refused, match=r"this node: try: create storage failed: no quorum! \(more than half") as refused:
        pvesh.send("POST", "/storage", "try")
    assert "USAGE" not in str(refused.value)
    assert readable("400 Parameter verification failed.\nfoo: no\n") == "400 Parameter verification failed. foo: no"


def test_a_machine_without_the_command_says_so() -> None:
    with pytest.raises(EngineError, match="is Proxmox VE installed"):
        Pvesh("/nonsuch/pvesh").get("/version", "try")
