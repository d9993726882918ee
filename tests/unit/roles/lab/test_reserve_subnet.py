# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a lab comes by its subnet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[4] / "roles/lab/files/reserve_subnet.py"


def run(labs: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (labs / name).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(SCRIPT), str(labs), name, f"sy-{name}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def reserve(labs: Path, name: str, *arguments: str) -> dict[str, Any]:
    done = run(labs, name, *arguments)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_lab_keeps_its_subnet(tmp_path: Path) -> None:
    first = reserve(tmp_path, "one")
    assert first["new"]
    assert reserve(tmp_path, "one") == {"lab": first["lab"], "new": False}


def test_two_labs_have_two_subnets(tmp_path: Path) -> None:
    assert reserve(tmp_path, "one")["lab"]["subnet"] != reserve(tmp_path, "two")["lab"]["subnet"]


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    assert reserve(tmp_path, "one", "--check")["new"]
    assert not (tmp_path / "one/lab.json").exists()


def test_a_wish_is_granted(tmp_path: Path) -> None:
    lab = reserve(tmp_path, "one", "--subnet=10.254.253.0/24")["lab"]
    assert (lab["subnet"], lab["gateway"]) == ("10.254.253.0/24", "10.254.253.1")


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("127.0.0.0/24", "this machine's lo has 127.0.0.0/8"),
        ("10.1.2.0/23", "not a private IPv4 /24"),
        ("192.88.99.0/24", "not a private IPv4 /24"),
        ("fd00::/64", "not a private IPv4 /24"),
        ("10.1.2.3/24", "has host bits set"),
        ("lots", "does not appear to be"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_in_one_line(tmp_path: Path, wish: str, why: str) -> None:
    done = run(tmp_path, "one", f"--subnet={wish}")
    assert done.returncode == 1
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_labs_subnet_is_not_free(tmp_path: Path) -> None:
    reserve(tmp_path, "one", "--subnet=10.254.253.0/24")
    assert "the lab one has" in run(tmp_path, "two", "--subnet=10.254.253.0/24").stderr


def test_a_lab_does_not_change_its_subnet(tmp_path: Path) -> None:
    reserve(tmp_path, "one", "--subnet=10.254.253.0/24")
    assert "already has 10.254.253.0/24" in run(tmp_path, "one", "--subnet=10.254.252.0/24").stderr
