# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation tells a person to type, read from the pages themselves, and typed.

Commands are the lines of blocks marked ``console``. A block of YAML whose first line is a comment with a path is a file
to be written there, ``# inventories/lab/tenants.yml``. Both are done in a folder that looks like the checkout, with an
inventory of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .playbooks import ROOT

TOUR = (
    "docs/tutorial.md",
    "docs/plan-and-apply.md",
    "docs/howto-looking.md",
    "docs/howto-servers.md",
    "docs/howto-export.md",
    "docs/howto-networks.md",
    "docs/howto-templates.md",
    "README.md",
)
"""Pages that tests/lab/test_documented.py types, in this order, on one fleet."""
TYPED = {
    **dict.fromkeys(TOUR, "tests/lab/test_documented.py"),
    "docs/operators-day.md": "tests/lab/test_operators_day.py",
    "docs/import.md": "tests/proxmox/test_documented.py",
    "docs/failover.md": "tests/lab/failover/test_by_hand.py",
}
"""Page -> the test that types what it tells."""
NOT_TYPED = {
    "make demo": "brings a lab up from nothing; the lab is up when the test begins, made by the same playbook",
    "make test": "is what runs this",
    "make demo-down": "takes the lab down, which other tests still need",
}
"""Command -> why no test types it, on whatever page it stands."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (inventories/\S+)\n")


@dataclass(frozen=True)
class Told:
    """One thing a page tells to do: a command, or a file to write (then with its path)."""

    page: str
    text: str
    path: str = ""


def told(page: str) -> Iterator[Told]:
    """What a page tells to do, in order."""
    for kind, text in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind == "console":
            for line in text.replace("\\\n", " ").splitlines():
                # Whoever reads it may be told in a comment what it does.
                command = re.split(r"\s+#\s", f"{line} ")[0].strip()
                if command and not command.startswith("#"):
                    yield Told(page, command)
        file = _FILE.match(text) if kind == "yaml" else None
        if file:
            yield Told(page, text, file[1])


class Desk:
    """Where somebody sits and types."""

    def __init__(self, folder: Path, inventory: Path, lab: str = "none") -> None:
        self.folder = folder
        self._lab = lab
        for name in (".collections", ".venv", "ansible.cfg", "playbooks", "plugins", "roles"):
            (folder / name).symlink_to(ROOT / name)
        ours = ROOT in inventory.parents
        # Where ansible.cfg looks for it, unless it is known by a place of its own.
        shutil.copytree(inventory, folder / (inventory.relative_to(ROOT) if ours else "inventories/lab"))
        for beside in inventory.parent.iterdir() if ours else ():
            if beside != inventory:
                (folder / beside.relative_to(ROOT)).symlink_to(beside)

    def do(self, what: Told, seconds: float = 600) -> str:
        """Type a command, or write a file; what came of it. Raises AssertionError where the command fails."""
        if what.path:
            path = self.folder / what.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(what.text)
            return ""
        tools = Path(sys.executable).parent
        environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "SWITCHYARD_LAB": self._lab,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            ["bash", "-c", what.text],
            cwd=self.folder,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{what.page}: {what.text}\n{done.stdout}"
        return done.stdout
