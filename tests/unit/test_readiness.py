# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers are asked whether they serve: by TCP, HTTP and SIP, until they answer well or their time is up."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import contextmanager

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Check, Interface
from ansible_collections.switchyard.fleet.plugins.module_utils.readiness import NotReady, ask, wait_until_ready

HERE = "127.0.0.1"


@contextmanager
def web(status):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words):
            pass

    with http.server.HTTPServer((HERE, 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def phone(answer):
    """A UDP peer that answers whatever it is sent, and keeps it."""
    heard = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))

        def talk():
            packet, sender = sock.recvfrom(4096)
            heard.append(packet.decode())
            sock.sendto(answer, sender)

        threading.Thread(target=talk, daemon=True).start()
        yield sock.getsockname()[1], heard


def free_port():
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        return sock.getsockname()[1]


def wait(*checks):
    wait_until_ready(b.server("pbx1", interfaces=(Interface("lan", HERE),), checks=checks), lambda: False)


@pytest.mark.parametrize("status", [200, 302])
def test_a_page_that_is_served_is_a_good_answer(status):
    with web(status) as port:
        assert ask(Check("http", port), HERE) == ""


def test_a_page_that_fails_is_none():
    with web(503) as port:
        assert ask(Check("http", port), HERE) == "status 503"


def test_a_port_that_listens_is_a_good_answer_and_a_closed_one_is_none():
    with web(200) as port:
        assert ask(Check("tcp", port), HERE) == ""
    assert "refused" in ask(Check("tcp", free_port()), HERE)


def test_sip_options_are_asked_as_the_standard_has_them():
    with phone(b"SIP/2.0 200 OK\r\n\r\n") as (port, heard):
        assert ask(Check("sip", port), HERE) == ""
    assert heard[0].startswith(f"OPTIONS sip:{HERE}:{port} SIP/2.0\r\n")
    for header in ("Via: SIP/2.0/UDP ", "Max-Forwards: 70", "From: ", "To: ", "Call-ID: ", "CSeq: 1 OPTIONS"):
        assert header in heard[0]


def test_something_else_than_sip_is_no_answer():
    with phone(b"hello") as (port, _heard):
        assert ask(Check("sip", port), HERE) == "not a SIP answer"


def test_a_server_that_comes_up_late_is_waited_for():
    port = free_port()

    def come_up():
        with socket.create_server((HERE, port)) as server:
            server.accept()

    threading.Timer(0.5, come_up).start()
    wait(Check("tcp", port, timeout=10))


def test_a_server_that_never_answers_is_named_with_its_last_answer():
    port = free_port()
    with pytest.raises(NotReady, match=rf"pbx1 runs, but tcp 127.0.0.1:{port} had no good answer after .*refused"):
        wait(Check("tcp", port, timeout=0.3))


def test_no_checks_is_nothing_to_wait_for():
    wait()
