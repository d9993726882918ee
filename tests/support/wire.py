# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copies of a server answer, seen on the wire: 20 times a second everybody is asked by ARP who has an address.

A question by ARP is heard by every copy there is, and every copy that runs answers it, each through its own node's port
of the lab's bridge. So two copies are seen at once, whoever of them wins the connections; even on a node whose cable
is cut (see ``outside``). The questions bear no sender: they teach nobody anything.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05
SAME_TIME = 0.1
"""Seconds within which two nodes that answer are two copies at once: one copy has to end before the next can start,
which takes longer, and every copy that runs answers twice in this time."""
TO_AND_FRO = 1.0
"""Seconds in which no server can leave a node and be back."""

_ARP, _ANSWER, _ALL = 0x0806, 2, 0x0003
_OUTGOING = 4
_ATTACH_FILTER, _TIMESTAMP = 26, 35
"""SO_ATTACH_FILTER; SO_TIMESTAMPNS: when the kernel saw a frame, however long it took us to read it."""
_ONLY_ANSWERS = (
    (0x28, 0, 0, 12),
    (0x15, 0, 3, _ARP),
    (0x28, 0, 0, 20),
    (0x15, 0, 1, _ANSWER),
    (0x06, 0, 0, 64),
    (0x06, 0, 0, 0),
)
"""A filter for the kernel: frames of ARP that are answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A copy of a server said that it is there."""

    time: float
    """Seconds since the epoch."""
    server: str
    node: str


@dataclass(frozen=True, slots=True)
class Double:
    """Two copies of one server that were there at once."""

    time: float
    server: str
    nodes: tuple[str, str]


def doubles(answers: Iterable[Answer]) -> list[Double]:
    """Every answer that came while another node's copy was still there. The answers may be in any order."""
    found: list[Double] = []
    # Per server, when each node answered last; and the node that answered before.
    last: dict[str, dict[str, float]] = {}
    before: dict[str, str] = {}
    for answer in sorted(answers, key=lambda each: each.time):
        times = last.setdefault(answer.server, {})
        previous = before.get(answer.server, answer.node)
        if previous != answer.node:
            back = answer.time - times.get(answer.node, float("-inf")) < TO_AND_FRO
            if back or answer.time - times[previous] < SAME_TIME:
                found.append(Double(answer.time, answer.server, (previous, answer.node)))
        times[answer.node] = answer.time
        before[answer.server] = answer.node
    return found


class Wire:
    """Asks for these addresses on a bridge for as long as the block runs."""

    def __init__(self, bridge: str, addresses: Mapping[str, str], ports: Callable[[], Mapping[str, str]]) -> None:
        """``addresses``: server -> address; ``ports``: tells the node behind each port of the bridge."""
        self._bridge = bridge
        self._servers = {socket.inet_aton(address): name for name, address in addresses.items()}
        self._tell = ports
        self._ports = dict(ports())
        self._heard: list[tuple[float, str, str]] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._ask, self._listen)]

    def __enter__(self) -> Wire:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)

    def answers(self, since: float = 0.0) -> list[Answer]:
        """What was heard since then. A port nobody knows stands for itself: it is somebody."""
        heard = [each for each in list(self._heard) if each[0] > since]
        if any(port not in self._ports for _time, _server, port in heard):
            self._ports.update(self._tell())
        return [Answer(when, server, self._ports.get(port, port)) for when, server, port in heard]

    def _ask(self) -> None:
        mac = bytes.fromhex(Path(f"/sys/class/net/{self._bridge}/address").read_text().strip().replace(":", ""))
        head = b"\xff" * 6 + mac + struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1) + mac + bytes(4) + bytes(6)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.bind((self._bridge, 0))
            for _round in self._rounds():
                for address in self._servers:
                    sock.send(head + address)

    def _rounds(self) -> Iterator[None]:
        due = time.monotonic()
        while not self._over.is_set():
            yield
            due = max(due + EVERY, time.monotonic())
            self._over.wait(due - time.monotonic())

    def _listen(self) -> None:
        # Frames are seen at the ports before the bridge decides about them.
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as sock:
            _attach(sock, _ONLY_ANSWERS)
            sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
            sock.settimeout(0.2)
            fresh = time.monotonic()
            while not self._over.is_set():
                try:
                    frame, notes, _flags, (port, _protocol, kind, *_rest) = sock.recvmsg(64, 64)
                except TimeoutError:
                    continue
                server = self._servers.get(frame[28:32])
                if (
                    server is None
                    or kind == _OUTGOING
                    or port == self._bridge
                    or frame[12:14] != _ARP.to_bytes(2, "big")
                ):
                    continue
                self._heard.append((_moment(notes), server, port))
                # A node that booted has a new port, and will be gone again before somebody asks for the answers.
                if port not in self._ports and time.monotonic() > fresh:
                    self._ports.update(self._tell())
                    fresh = time.monotonic() + 1


def _attach(sock: socket.socket, program: Iterable[tuple[int, int, int, int]]) -> None:
    """Let the kernel sort out frames (classic BPF)."""
    code = b"".join(struct.pack("=HBBI", *each) for each in program)
    buffer = ctypes.create_string_buffer(code)
    described = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)


def _moment(notes: Iterable[tuple[int, int, bytes]]) -> float:
    for level, kind, data in notes:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMP:
            seconds, nanoseconds = struct.unpack("@qq", data[:16])
            return float(seconds) + nanoseconds / 1e9
    return time.time()
