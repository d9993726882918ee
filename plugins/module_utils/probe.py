# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does anybody answer at these addresses? Asked before an address is given to a new server."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

_BATCH = 256
"""Addresses asked at once: a kernel's table of neighbours holds about a thousand."""
_DISCARD = 9
"""A port hardly anything listens on: a machine that is there refuses at once (RFC 863)."""


def answering(addresses: Iterable[str], wait: float = 0.5) -> Mapping[str, str]:
    """Address -> how it answered, for each that did within ``wait`` seconds.

    Asked by ICMP echo, where this process may, and by TCP: a refused connection is an answer too. Silence
    proves nothing (a firewall may drop both), an answer does.
    """
    ordered = sorted(set(addresses))
    found: dict[str, str] = {}
    for first in range(0, len(ordered), _BATCH):
        found.update(_ask(ordered[first : first + _BATCH], wait))
    return found


def _ask(addresses: Sequence[str], wait: float) -> dict[str, str]:
    found: dict[str, str] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for address in addresses:
            tcp = stack.enter_context(_tcp(address))
            selector.register(tcp, selectors.EVENT_WRITE, (address, tcp, _tcp_answer))
            echo = _echo(address)
            if echo is not None:
                stack.enter_context(echo)
                selector.register(echo, selectors.EVENT_READ, (address, echo, _echo_answer))
        deadline = time.monotonic() + wait
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _events in selector.select(left):
                address, sock, judge = key.data
                how = judge(sock, address)
                if how:
                    found.setdefault(address, how)
                if how or judge is _tcp_answer:
                    selector.unregister(sock)
    return found


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _tcp(address: str) -> socket.socket:
    sock = socket.socket(_family(address), socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex((address, _DISCARD))
    return sock


def _tcp_answer(sock: socket.socket, _address: str) -> str:
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code == 0:
        return f"accepts connections on port {_DISCARD}"
    return "refuses connections" if code == errno.ECONNREFUSED else ""


def _echo(address: str) -> socket.socket | None:
    """A raw socket with an echo request on its way; None where this process may not (or for IPv6)."""
    if ":" in address:
        return None
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.getprotobyname("icmp"))
    except OSError:
        return None
    sock.setblocking(False)
    try:
        sock.connect((address, 0))
        sock.send(_echo_request(os.getpid() & 0xFFFF))
    except OSError:
        sock.close()
        return None
    return sock


def _echo_request(identifier: int) -> bytes:
    """ICMP type 8 with the checksum of RFC 1071."""
    header = struct.pack("!BBHHH", 8, 0, 0, identifier, 1)
    total = sum(struct.unpack("!4H", header))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return struct.pack("!BBHHH", 8, 0, checksum, identifier, 1)


def _echo_answer(sock: socket.socket, address: str) -> str:
    try:
        packet, (sender, *_rest) = sock.recvfrom(1024)
    except OSError:
        return ""
    header = (packet[0] & 0x0F) * 4
    # Type 0 is an echo reply; "unreachable", sent by a router, is none.
    return "answers ping" if sender == address and packet[header] == 0 else ""
