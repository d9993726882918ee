# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as one file: the same bytes from the same sources, all it needs and nothing else, and it runs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.__main__ import COMMANDS
from ansible_collections.switchyard.fleet.plugins.plugin_utils.bundle import bundle, needed

SOURCES = Path(__file__).parents[4] / "plugins" / "module_utils"


@pytest.fixture(scope="module")
def built():
    return bundle(SOURCES)


def names(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_same_sources_give_the_same_bytes_wherever_and_whenever_they_were_written(built, tmp_path):
    copied = tmp_path / "elsewhere"
    shutil.copytree(SOURCES, copied)
    for path in copied.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert bundle(copied) == built


def test_another_source_gives_others(built, tmp_path):
    copied = tmp_path / "elsewhere"
    shutil.copytree(SOURCES, copied)
    with (copied / "agent" / "check.py").open("a") as file:
        file.write("\n# another\n")
    assert bundle(copied) != built


def test_only_what_the_agent_needs_is_in(built):
    inside = names(built)
    assert inside == sorted(inside)
    assert "switchyard/engine/incus/guests.py" in inside
    assert "switchyard/engine/__init__.py" in inside
    unwanted = ("proxmox", "fleet/search", "fleet/goals", "switchyard/node/", "importing/inventory")
    assert [name for name in inside if any(part in name for part in unwanted)] == []
    assert len(built) < 1024 * 1024


def test_modules_imported_anywhere_in_a_file_are_found(tmp_path):
    def write(path, text=""):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("agent/__init__.py")
    write("agent/__main__.py", "from ..one import thing\nfrom . import work\n")
    write("agent/work.py", "def run():\n    from ..far.two import other\n")
    write("one.py", "from .three import (\n    a,\n    b,\n)\n")
    write("three.py")
    write("far/__init__.py", "from . import four\n")
    write("far/two.py")
    write("far/four.py")
    write("unused.py")
    found = [str(path.relative_to(tmp_path)) for path in needed(tmp_path)]
    assert found == [
        "agent/__init__.py",
        "agent/__main__.py",
        "agent/work.py",
        "far/__init__.py",
        "far/four.py",
        "far/two.py",
        "one.py",
        "three.py",
    ]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_there_when_it_runs_from_the_zip_alone(built, command, tmp_path):
    """In a Python that sees neither the collection nor anything installed: of urllib3 it has to say so itself."""
    path = tmp_path / "agent.pyz"
    path.write_bytes(built)
    done = subprocess.run(
        [sys.executable, "-I", "-S", path, command, "--help"], check=False, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert f"switchyard-agent {command}" in done.stdout


def test_without_settings_it_says_who_writes_them(built, tmp_path):
    path = tmp_path / "agent.pyz"
    path.write_bytes(built)
    done = subprocess.run(
        [sys.executable, "-I", path, "--settings", tmp_path / "none.json", "due"],
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 2
    assert "run the site playbook" in done.stderr
