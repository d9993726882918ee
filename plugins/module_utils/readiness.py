# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a server whether it serves: the checks an inventory declares, from where this runs."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A node asks every few seconds, and loads no more for it than it needs.
    from .fleet.model import Check, Server

_ASK_AGAIN = 0.1
"""Seconds between two askings of a server that is not up yet."""
_FIRST_ANSWER, _ANSWER = 0.25, 2.0
"""Seconds an asking may take, at first and at last. A server that is just coming up loses the first packets, and TCP
sends them again after a whole second: to ask anew is quicker."""


class NotReady(Exception):
    """A server did not give a good answer in time."""


def wait_until_ready(server: Server, stopped: Callable[[], bool]) -> None:
    """Return once every check of the server was answered well; at once where it declares none.

    Raises NotReady, naming the check and the last answer, when a check's timeout has passed.
    """
    began = time.monotonic()
    for check in server.checks:
        address = server.interfaces[0].address if server.interfaces else ""
        patience = _FIRST_ANSWER
        while True:
            answer = ask(check, address, patience)
            if not answer:
                break
            patience = min(2 * patience, _ANSWER)
            waited = time.monotonic() - began
            if waited > check.timeout or stopped():
                what = f"{describe(check, address)} had no good answer after {waited:.0f} s: {answer}"
                raise NotReady(f"{server.name} runs, but {what}")
            time.sleep(_ASK_AGAIN)


def describe(check: Check, address: str) -> str:
    """A check in the notation its users know."""
    if check.type == "http":
        return f"http://{address}:{check.port}{check.path}"
    return f"{check.type} {address}:{check.port}"


def ask(check: Check, address: str, patience: float = _ANSWER) -> str:
    """Ask once, for at most ``patience`` seconds. Empty: a good answer; otherwise what came instead."""
    asking = {"tcp": _tcp, "http": _http, "sip": _sip}[check.type]
    try:
        return asking(check, address, patience)
    except OSError as error:
        return str(error) or type(error).__name__


def _tcp(check: Check, address: str, patience: float) -> str:
    with socket.create_connection((address, check.port), timeout=patience):
        return ""


def _http(check: Check, address: str, patience: float) -> str:
    import http.client  # noqa: PLC0415 - takes longer to load than all the rest

    connection = http.client.HTTPConnection(address, check.port, timeout=patience)
    try:
        connection.request("GET", check.path)
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"status {status}"


def _sip(check: Check, address: str, patience: float) -> str:
    """OPTIONS over UDP (RFC 3261, 11): any final or provisional response shows a SIP stack that lives."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect((address, check.port))
        host, port = sock.getsockname()[:2]
        here = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        there = f"[{address}]" if ":" in address else address
        tag, branch, call = (secrets.token_hex(6) for _again in range(3))
        lines = (
            f"OPTIONS sip:{there}:{check.port} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:switchyard@{here}>;tag={tag}",
            f"To: <sip:{there}:{check.port}>",
            f"Call-ID: {call}",
            "CSeq: 1 OPTIONS",
            f"Contact: <sip:switchyard@{here}>",
            "Content-Length: 0",
            "",
            "",
        )
        sock.send("\r\n".join(lines).encode())
        answer = sock.recv(4096)
    return "" if answer.startswith(b"SIP/2.0 ") else "not a SIP answer"
