# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the fleet: one run at a time, whoever and wherever it is.

The engine keeps the lock where every run can see it. This is what is done with it: who may take it over,
and the sign of life that says the holder is still there.

A lock is taken over when its holder is certainly gone: a process of this machine that no longer exists, or
one that has given no sign of life for ``Fleet.limits.lock_ttl`` seconds. A holder that finds it could not
give its sign in time stops by itself (``lost``), so that it never works beside its successor.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .engine.base import Engine, EngineError, LockRecord


class FleetHeld(Exception):
    """Somebody else holds the fleet."""

    def __init__(self, fleet: str, record: LockRecord, now: float) -> None:
        self.record = record
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(record.since))
        super().__init__(
            f"fleet {fleet} is held by {record.holder} (process {record.pid}, {record.purpose}) since {since} UTC; "
            f"last sign of life {max(0.0, now - record.renewed):.0f} s ago. Wait for it to end. If you are sure that "
            f"run is gone, break its lock with -e apply_break_lock={record.token}"
        )


def this_machine() -> str:
    """Names the boot and PID namespace of this process: where a process id means the same process."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        return f"{boot.read_text(encoding='ascii').strip()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        # Nothing that could be compared: nobody is mistaken for a neighbour.
        return f"unknown/{secrets.token_hex(8)}"


def new_record(purpose: str) -> LockRecord:
    """A record for this process, as of now."""
    now = time.time()
    return LockRecord(
        token=secrets.token_hex(8),
        holder=f"{_user()}@{socket.gethostname()}",
        purpose=purpose,
        machine=this_machine(),
        pid=os.getpid(),
        since=now,
        renewed=now,
    )


def is_gone(record: LockRecord, now: float, ttl: float) -> str:
    """Why the holder of a lock is certainly gone; empty if it may still be there."""
    if record.machine == this_machine() and not _runs(record.pid):
        return f"its process {record.pid} on this machine has ended"
    silent = now - record.renewed
    if silent > ttl:
        return f"it has given no sign of life for {silent:.0f} s"
    return ""


def run_name() -> str:
    """A name for this process that ``run_is_over`` knows again, fit for what a platform keeps for it."""
    return f"{os.getpid()}-{_machine()}"


def run_is_over(name: str) -> bool:
    """Whether the process of that name was one of this machine, and runs no more."""
    pid, _dash, machine = name.partition("-")
    return machine == _machine() and pid.isdigit() and not _runs(int(pid))


def _machine() -> str:
    return hashlib.sha256(this_machine().encode()).hexdigest()[:12]


def _runs(pid: int) -> bool:
    """Whether a process of this machine is there; one that is dead and only waits for its parent is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    except (OSError, IndexError):
        return True
    return state not in ("Z", "X")


@contextmanager
def held(
    engine: Engine, purpose: str, lost: Callable[[str], None], say: Callable[[str], None], break_token: str = ""
) -> Iterator[None]:
    """Hold the fleet's lock for as long as the block runs.

    ``lost`` is called, from another thread, with a reason, should the lock be ours no longer.
    ``break_token`` is the token of a lock the user wants broken.
    Raises FleetHeld, or EngineError where the engine cannot lock at all.
    """
    record = new_record(purpose)
    _take(engine, record, say, break_token)
    ended = threading.Event()
    heart = threading.Thread(target=_keep_alive, args=(engine, record, ended, lost), name="fleet lock", daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join(timeout=engine.fleet.limits.connect)
        engine.release_lock(record.token)


def _take(engine: Engine, record: LockRecord, say: Callable[[str], None], break_token: str) -> None:
    ttl = engine.fleet.limits.lock_ttl
    other = engine.take_lock(record)
    if other is None:
        return
    why = "you asked for it" if other.token == break_token else is_gone(other, time.time(), ttl)
    if why:
        say(f"taking over the lock of {other.holder} (process {other.pid}): {why}")
        engine.release_lock(other.token)
        # Another run may have seen the same and been faster; then it holds the fleet, and that is that.
        other = engine.take_lock(record)
    if other is not None:
        raise FleetHeld(engine.fleet.name, other, time.time())


def _keep_alive(engine: Engine, record: LockRecord, ended: threading.Event, lost: Callable[[str], None]) -> None:
    ttl = engine.fleet.limits.lock_ttl
    last = time.monotonic()
    while not ended.wait(ttl / 6):
        try:
            record = replace(record, renewed=time.time())
            if not engine.renew_lock(record):
                lost("somebody else has taken the fleet's lock over")
                return
            last = time.monotonic()
        except EngineError as error:
            if time.monotonic() - last > ttl / 2:
                lost(f"no sign of life could be given for {time.monotonic() - last:.0f} s: {error}")
                return


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
