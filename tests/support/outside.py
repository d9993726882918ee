# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands around a lab's nodes: their power, their cables, and a console that needs neither network nor SSH."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .lab import Lab

ASKING = "arp operation request arp saddr ip 0.0.0.0"
"""What ``wire`` asks: it says nothing to anybody, so that it may still be asked behind a cut cable."""


class Outside:
    """The lab's own Incus, whose containers the nodes are, and the bridge they are plugged into."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._env = {
            **os.environ,
            "INCUS_DIR": str(lab.directory / "incus"),
            "INCUS_SOCKET": str(lab.directory / "incus" / "unix.socket"),
            "INCUS_CONF": str(lab.directory / "client"),
        }

    @property
    def bridge(self) -> str:
        """The nodes' switch."""
        return str(self.lab.facts["bridge"])

    # ---- power

    def cut_power(self, *nodes: str) -> None:
        """Their plugs are pulled, at the same moment; of those that have power."""
        alive = sorted(self.powered() & set(nodes))
        if alive:
            self._incus("stop", "--force", *alive)

    def restore_power(self, *nodes: str) -> None:
        """They boot; nobody waits until they are up."""
        dark = set(nodes) - self.powered()
        if dark:
            self._incus("start", *sorted(dark))

    def powered(self) -> set[str]:
        """Nodes that have power."""
        return {name for name, status, _port in self._nodes() if status == "Running"}

    # ---- cables

    def ports(self) -> Mapping[str, str]:
        """Port of the bridge -> the node behind it; a node that boots gets a new one."""
        return {port: name for name, _status, port in self._nodes() if port}

    @contextmanager
    def isolated(self, *nodes: str) -> Iterator[None]:
        """Each of these nodes alive, and alone: its cable is out for as long as the block runs."""
        ports = _names(port for port, node in self.ports().items() if node in nodes)
        rules = {
            "forward": [f"iifname {ports} drop", f"oifname {ports} drop"],
            "input": [f"iifname {ports} drop"],
            "output": [f"oifname {ports} {ASKING} accept", f"oifname {ports} drop"],
        }
        with self._filtered(rules):
            yield

    @contextmanager
    def parted(self, left: Iterable[str], right: Iterable[str]) -> Iterator[None]:
        """Two halves that do not hear each other, while both still reach what is outside (the power switch, too)."""
        here, there = (
            _names(port for port, node in self.ports().items() if node in half) for half in (set(left), set(right))
        )
        rules = [f"iifname {here} oifname {there} drop", f"iifname {there} oifname {here} drop"]
        with self._filtered({"forward": rules}):
            yield

    @contextmanager
    def _filtered(self, rules: Mapping[str, Iterable[str]]) -> Iterator[None]:
        table = f"bridge switchyard-{self.lab.name}"
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority 0; {'; '.join(lines)}; }}\n"
            for hook, lines in rules.items()
        )
        # Added first, so that there is one to delete: whatever an earlier run left is gone.
        _nft(f"add table {table}\ndelete table {table}\ntable {table} {{\n{chains}}}\n")
        try:
            yield
        finally:
            _nft(f"delete table {table}\n")

    # ---- disks

    def plug_disk(self, node: str, mib: int, path: str) -> None:
        """A small disk of the node's own, mounted at ``path`` from now on; kept when its power fails."""
        if "small" in self._incus("config", "device", "list", node).split():
            return
        image = self._disk(node)
        with image.open("wb") as file:
            file.truncate(mib * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", str(image))
        device = _run("losetup", "--find", "--show", str(image)).strip()
        self._incus("config", "device", "add", node, "small", "disk", f"source={device}", f"path={path}", "shift=true")

    def unplug_disk(self, node: str) -> None:
        """Without the node's power, as it may be in use."""
        self._incus("stop", "--force", node, check=False)
        self._incus("config", "device", "remove", node, "small", check=False)
        for line in _run("losetup", "--associated", str(self._disk(node))).splitlines():
            _run("losetup", "--detach", line.partition(":")[0])
        self._disk(node).unlink(missing_ok=True)

    def _disk(self, node: str) -> Path:
        return self.lab.directory / f"disk-{node}.img"

    # ---- consoles

    def console(self, node: str, *command: str, check: bool = True, timeout: float = 60) -> str:
        """What a command on a node prints."""
        return self._incus("exec", node, "--", *command, check=check, timeout=timeout)

    def guests(self, *but: str) -> dict[str, list[dict[str, Any]]]:
        """Node with power -> its guests, as its Incus tells; a node whose Incus does not answer is an error.

        Not of the nodes ``but``.
        """
        found = {}
        for node in sorted(self.powered() - set(but)):
            listed = self.console(node, "incus", "query", "--wait", "/1.0/instances?recursion=1&project=default")
            found[node] = json.loads(listed) or []
        return found

    def _nodes(self) -> list[tuple[str, str, str]]:
        listed = json.loads(self._incus("query", "/1.0/instances?recursion=1"))
        return [(each["name"], each["status"], each["config"].get("volatile.eth0.host_name", "")) for each in listed]

    def _incus(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        done = subprocess.run(
            ["incus", *command],
            env=self._env,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise RuntimeError(f"incus {' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


def _names(ports: Iterable[str]) -> str:
    return "{ " + ", ".join(f'"{port}"' for port in sorted(ports)) + " }"


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def _nft(commands: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=commands, check=True, text=True)
