# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for tests and benchmarks, driven as a user drives it: by playbooks; and looked at from behind, over SSH."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .playbooks import ROOT, begin

INVENTORY = ROOT / "inventories" / "lab"


class Lab:
    """A lab of this name, up for as long as the block runs."""

    def __init__(self, name: str, nodes: int = 3) -> None:
        self.name = name
        self.nodes = nodes

    def __enter__(self) -> Lab:
        self.playbook("lab", extra={"lab_nodes": self.nodes})
        return self

    def __exit__(self, *_error: object) -> None:
        if not os.environ.get("KEEP_LAB"):
            self.playbook("lab", extra={"lab_state": "absent", "lab_keep_image": True})

    @property
    def directory(self) -> Path:
        """Where the lab keeps its state."""
        return Path("/var/lib/switchyard/labs") / self.name

    @property
    def facts(self) -> dict[str, Any]:
        """The lab's own account: subnet, nodes' addresses, keys."""
        facts: dict[str, Any] = json.loads((self.directory / "lab.json").read_text())
        return facts

    def playbook(
        self,
        playbook: str | Path,
        *arguments: str,
        inventory: Path = INVENTORY,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run ansible-playbook to its end. With ``check``, raises with its output if it fails."""
        process = self.begin(playbook, *arguments, inventory=inventory, extra=extra)
        output, _nothing = process.communicate()
        if check and process.returncode:
            raise RuntimeError(f"{playbook}: exit status {process.returncode}\n{output}")
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def begin(
        self,
        playbook: str | Path,
        *arguments: str,
        inventory: Path = INVENTORY,
        extra: Mapping[str, Any] | None = None,
    ) -> subprocess.Popen[str]:
        """Start ansible-playbook, as a group of processes of its own.

        The playbook is one of the collection's by its short name, or a file.
        """
        return begin(
            playbook, *arguments, inventories=[inventory], extra=extra, environment={"SWITCHYARD_LAB": self.name}
        )

    # ---- from behind

    def ssh(self, node: str, *command: str, check: bool = True) -> str:
        """What a command on a node prints."""
        done = subprocess.run(
            [*self.ssh_to(node), *command], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if check and done.returncode:
            raise RuntimeError(f"{node}: {' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
        return done.stdout

    def ssh_to(self, node: str) -> list[str]:
        """The ssh command that runs what follows on a node."""
        facts = self.facts
        options = ("-o", f"UserKnownHostsFile={facts['known_hosts']}", "-o", "StrictHostKeyChecking=yes")
        return ["ssh", "-F", "none", "-i", facts["ssh_key"], *options, f"root@{facts['nodes'][node]['address']}"]

    def guests(self, *nodes: str) -> list[tuple[str, str, str]]:
        """(name, node, state) of every guest on these nodes, or on all, as Incus itself tells on the node."""
        found = []
        for node in nodes or self.facts["nodes"]:
            listed = self.ssh(node, "incus", "list", "--all-projects", "-f", "json")
            found += [(guest["name"], node, guest["status"]) for guest in json.loads(listed)]
        return sorted(found)
