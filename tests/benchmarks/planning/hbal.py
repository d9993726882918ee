# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ganeti's hbal, the real one, on the same fleet: what it moves within a time limit, and what that costs.

hbal prints each move as soon as it has found it, so what it has by the time limit is a plan too: its own advice is to
stop it whenever one likes. Its final figures are worked out here from its moves, on the score everybody is compared on.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed

from . import hbal_format
from .instances import Storage
from .score import homes

PACKAGE = "ganeti-htools-3.0"
PROGRAM = Path("/usr/lib/ganeti/3.0/usr/bin/hbal")
"""Where the Debian package has it; nothing is on PATH."""
WALL = 300.0
_MOVE = re.compile(r"^ +\d+\. (\S+) +(\S+) +=> (\S+) +([\d.]+) a=(.*)$")
_INITIAL = re.compile(r"^Initial score: ([\d.]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HbalMove:
    """One line of hbal's: a server, its node and the node of its replica before and after (``""``: none), the score it
    reached, and whether its disk was copied somewhere."""

    server: str
    before: tuple[str, str]
    after: tuple[str, str]
    score: float
    copies: int

    @property
    def nodes(self) -> frozenset[str]:
        """Nodes the move takes part on."""
        return frozenset({*self.before, *self.after} - {""})


@dataclass(frozen=True, slots=True)
class HbalRun:
    """What hbal found, in CPU and wall seconds, and whether it came to its own end."""

    moves: tuple[HbalMove, ...]
    initial_score: float | None
    """``None``: its time was up before it had found a move, which is when it first writes out what it has to say."""
    cpu: float
    wall: float
    finished: bool


def install() -> None:
    """Have hbal on this machine; says so where it has to be fetched."""
    if PROGRAM.exists():
        return
    print(f"== apt: {PACKAGE}", flush=True)
    apt = [shutil.which("apt-get") or "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run([*apt, "update"], check=True, **quiet)
    subprocess.run([*apt, "install", "-y", "--no-install-recommends", PACKAGE], check=True, **quiet)


def run(fleet: Fleet, observed: Observed, wall: float = WALL) -> HbalRun:
    """Let hbal balance the fleet for so many seconds. Raises RuntimeError where it refuses the input."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.txt"
        path.write_text(hbal_format.write(fleet, observed))
        return run_file(path, [server.name for server in fleet.servers.values() if server.node], wall)


def run_file(path: Path, pinned: Sequence[str], wall: float = WALL) -> HbalRun:
    """The same for a file in its format; ``pinned`` are the instances it must leave alone."""
    command = [str(PROGRAM), "-t", str(path), "--ignore-dynu"]
    if pinned:
        command.append(f"--exclude-instances={','.join(pinned)}")
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        before = os.times()
        child = subprocess.Popen(command, stdout=output, stderr=errors)
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.send_signal(signal.SIGKILL)

        timer = threading.Timer(wall, stop)
        timer.start()
        _pid, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text = output.read()
        if child.returncode and not late.is_set():
            raise RuntimeError(f"hbal: {errors.read() or text}")
    initial = _INITIAL.search(text)
    return HbalRun(
        moves=parse(text),
        initial_score=float(initial.group(1)) if initial else None,
        cpu=used.ru_utime + used.ru_stime,
        wall=os.times().elapsed - before.elapsed,
        finished=not late.is_set(),
    )


def parse(text: str) -> tuple[HbalMove, ...]:
    """The moves in hbal's output."""
    found = []
    for line in text.splitlines():
        match = _MOVE.match(line)
        if match:
            server, before, after, score, actions = match.groups()
            # r:NODE puts the replica on NODE, which copies the disk; f goes over to the replica, fa to any node.
            copies = sum(action.startswith("r:") for action in actions.split())
            found.append(HbalMove(server, _pair(before), _pair(after), float(score), copies))
    return tuple(found)


def _pair(nodes: str) -> tuple[str, str]:
    primary, _colon, secondary = nodes.partition(":")
    return primary, secondary


def placement(observed: Observed, moves: Iterable[HbalMove]) -> dict[str, str]:
    """Where everything runs after the moves."""
    where = homes(observed)
    where.update({move.server: move.after[0] for move in moves})
    return where


def job_sets(moves: Sequence[HbalMove]) -> int:
    """Into how many sets hbal puts its moves, one after the other, each side by side.

    From the last move back, a set grows until the next move is on a node the set has already.
    """
    sets, busy = 0, frozenset[str]()
    for move in reversed(moves):
        if not sets or move.nodes & busy:
            sets, busy = sets + 1, move.nodes
        else:
            busy |= move.nodes
    return sets


def sent(fleet: Fleet, moves: Iterable[HbalMove], storage: Storage) -> int:
    """MiB the moves send from node to node: memory where the disks are everywhere, else each copy of a disk.

    hbal moves nothing that is on local disks without a replica. Asked for ``local``, these are the bytes of moves it
    made for the same fleet on external storage, had each copied its disk.
    """
    if storage == "external":
        return sum(fleet.servers[move.server].size.memory for move in moves)
    return sum(fleet.servers[move.server].size.disk * (1 if storage == "local" else move.copies) for move in moves)
