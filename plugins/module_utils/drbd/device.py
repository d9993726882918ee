# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server's device on this node: made, connected, written to here or there, mounted.

Every function may be cut off anywhere and called again. None of them decides which copy is right: the caller has.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from ..engine.base import EngineError, Refused
from . import status as told
from .program import run
from .resource import Resource, configuration
from .status import Status

FOLDER = Path("/run/switchyard/drbd.d")
"""In memory, and named in ``/etc/drbd.d/switchyard.res``: after a start of the node a loop device of the same
name may have another server's disk, so nothing comes up there but what the agent has attached anew."""
HANDLER = "/usr/local/sbin/switchyard-agent fence-peer"
_MOUNTS = Path("/proc/self/mountinfo")
_PAUSE = 0.2
_OCTAL = re.compile(r"\\(\d{3})")


class Device:
    """This node's side of a resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._node = resource.here.node

    # ---- what it is

    def status(self) -> Status:
        """What it is doing. Raises EngineError where the kernel has no DRBD."""
        return statuses(self._node).get(self.resource.here.number, told.NONE)

    def place(self) -> str:
        """Where it is mounted; empty: nowhere."""
        number = os.makedev(147, self.resource.here.number)
        wanted = f"{os.major(number)}:{os.minor(number)}"
        for line in _MOUNTS.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[2] == wanted:
                return _OCTAL.sub(lambda found: chr(int(found[1], 8)), words[4])
        return ""

    # ---- made and connected

    def up(self) -> None:
        """There, with DRBD's own records on the disk below (made where there are none), and looking for the other."""
        attempt = f"bring up the device of {self.resource.server}"
        self._configure()
        if self.status().exists:
            return
        name = self.resource.name
        try:
            run(self._node, attempt, "drbdadm", "dump-md", name)
        except EngineError as error:
            # Never over records that are there: they are what tells an old copy from a new one.
            if "no valid meta data" not in error.answer.lower() and "not initialized" not in error.answer.lower():
                # Of a node that lost its power they are to be replayed first.
                if "apply-al" not in error.answer:
                    raise
            else:
                run(self._node, attempt, "drbdadm", "create-md", "--force", name)
        run(self._node, attempt, "drbdadm", "up", name)

    def down(self) -> None:
        """Gone from the kernel, and from DRBD's configuration; what is below stays."""
        attempt = f"take down the device of {self.resource.server}"
        if self.status().exists:
            run(self._node, attempt, "drbdadm", "down", self.resource.name)
        (FOLDER / f"{self.resource.name}.res").unlink(missing_ok=True)

    def connect(self, *, discard: bool = False) -> None:
        """Look for the other one again. ``discard``: where both were written to, what is here is thrown away."""
        attempt = f"connect the device of {self.resource.server}"
        now = self.status()
        if now.connection not in ("StandAlone", "WFConnection"):
            return
        if now.connection == "WFConnection":
            if not discard:
                return
            run(self._node, attempt, "drbdadm", "disconnect", self.resource.name)
        options = ("--discard-my-data",) if discard else ()
        run(self._node, attempt, "drbdadm", "connect", *options, self.resource.name)

    def _configure(self) -> None:
        path = FOLDER / f"{self.resource.name}.res"
        text = configuration(self.resource, HANDLER, os.uname().nodename)
        try:
            if path.exists() and path.read_text(encoding="utf-8") == text:
                return
            # It has the secret in it. No name that drbdadm takes for a resource's until it is whole.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            raise EngineError(self._node, f"write {path}", str(error.strerror)) from None

    # ---- who writes

    def begin(self) -> None:
        """What is here is the truth, and goes to the other side: of a new device only, on which nobody ever wrote."""
        attempt = f"begin with the device of {self.resource.server}"
        now = self.status()
        if now.disk == "UpToDate":
            return
        if now.disk != "Inconsistent" or now.peer_disk not in ("Inconsistent", "DUnknown", "Diskless"):
            raise Refused(self._node, attempt, f"it is not new: {now.words}", "see drbdadm on both nodes")
        run(self._node, attempt, "drbdadm", "primary", "--force", self.resource.name)

    def primary(self) -> None:
        """Written to here. Raises EngineError where DRBD does not have all that was acknowledged, or the other node
        writes to it; changes nothing then."""
        attempt = f"write to the device of {self.resource.server} here"
        now = self.status()
        if now.role == "Primary":
            return
        if now.disk not in ("UpToDate", "Consistent") and not (now.connected and now.peer_disk == "UpToDate"):
            words = f"what is here is not all that was acknowledged: {now.words}"
            raise Refused(self._node, attempt, words, "the other node has it; bring that one up")
        run(self._node, attempt, "drbdadm", "primary", self.resource.name)

    def secondary(self) -> None:
        """Not written to here any more; what is mounted is unmounted first."""
        self.unmount()
        if self.status().role == "Primary":
            attempt = f"have the device of {self.resource.server} written to elsewhere"
            run(self._node, attempt, "drbdadm", "secondary", self.resource.name)

    def resume(self) -> None:
        """Writes that wait go on: the other side's copy counts no more, which the caller has made certain of."""
        if self.status().suspended:
            run(
                self._node,
                f"go on with the device of {self.resource.server}",
                "drbdadm",
                "resume-io",
                self.resource.name,
            )

    # ---- what is on it

    def format(self) -> None:
        """A file system, if there is nothing on it yet."""
        attempt = f"make a file system for {self.resource.server}"
        device = self.resource.here.device
        if run(self._node, attempt, "blkid", "--probe", device, fine=(0, 2)).strip():
            return
        run(self._node, attempt, "mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", device, seconds=600.0)

    def mount(self, place: str) -> None:
        """Mounted there and nowhere else."""
        attempt = f"mount the disk of {self.resource.server}"
        now = self.place()
        if now == place:
            return
        if now:
            raise Refused(self._node, attempt, f"{self.resource.here.device} is mounted on {now}", "unmount it there")
        try:
            Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(self._node, attempt, f"{place}: {error.strerror}") from None
        run(self._node, attempt, "mount", "-t", "ext4", "-o", "noatime", self.resource.here.device, place)

    def unmount(self) -> None:
        """Mounted nowhere. Raises EngineError while something uses it."""
        while place := self.place():
            run(self._node, f"unmount the disk of {self.resource.server}", "umount", place)

    # ---- waited for

    def wait(self, until: str, seconds: float) -> Status:
        """The status once ``connected`` or ``in_step`` holds; after ``seconds`` as it is then."""
        end = time.monotonic() + seconds
        while not getattr(now := self.status(), until) and time.monotonic() < end:
            time.sleep(_PAUSE)
        return now


def statuses(node: str) -> dict[int, Status]:
    """All devices of this node. Raises EngineError where the kernel has no DRBD."""
    try:
        return dict(told.parse(Path(told.FILE).read_text(encoding="ascii", errors="replace")))
    except OSError:
        hint = (
            "modprobe drbd; a container has its host's kernel, and a kernel without the module can do without sync only"
        )
        raise EngineError(node, f"read {told.FILE}", "this kernel has no DRBD", hint) from None
