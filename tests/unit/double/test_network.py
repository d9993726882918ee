# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double over the network: reason phrases, tickets, several nodes, faults by hand; and started as a program."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from double import Double
from test_life import TEMPLATE

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def served() -> Iterator[Double]:
    with Double(nodes=2, latency=0.002) as double:
        yield double


def call(port: int, method: str, path: str, token: str = "", **params: Any) -> tuple[int, str, Any]:
    """One request: status, reason and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = urllib.parse.urlencode(params)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if token:
        headers["Authorization"] = f"PVEAPIToken={token}"
    target = f"{path}?{body}" if method == "GET" and body else path
    connection.request(method, target, None if method == "GET" else body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.reason, json.loads(text) if text else None


def test_a_node_forwards_to_the_other(served: Double) -> None:
    first, second = served.ports
    create = {"vmid": 100, "ostemplate": TEMPLATE, "rootfs": "local-zfs:1"}
    status, _reason, body = call(first, "POST", "/api2/json/nodes/pve2/lxc", served.token, **create)
    assert status == 200
    upid = body["data"]
    for _attempt in range(500):
        _status, _reason, body = call(second, "GET", f"/api2/json/nodes/pve2/tasks/{upid}/status", served.token)
        if body["data"]["status"] == "stopped":
            break
    assert body["data"]["exitstatus"] == "OK"
    assert (
        call(first, "POST", "/api2/json/nodes/pve1/lxc", served.token, **create)[1]
        == "CT 100 already exists on node 'pve2'"
    )


def test_errors_are_in_the_reason_phrase_and_the_body(served: Double) -> None:
    status, reason, body = call(served.ports[0], "GET", "/api2/json/nodes/pve1/lxc/999/config", served.token)
    assert (status, reason) == (500, "Configuration file 'nodes/pve1/lxc/999.conf' does not exist")
    assert body == {"data": None, "message": f"{reason}\n"}
    assert call(served.ports[0], "GET", "/api2/json/version")[:2] == (401, "No ticket")
    assert call(served.ports[0], "GET", "/api2/json/no/such", served.token)[0] == 501


def test_many_at_once_over_the_network(served: Double) -> None:
    results: list[int] = []

    def create(number: int) -> None:
        results.append(call(served.ports[number % 2], "POST", "/api2/json/pools", served.token, poolid="lock")[0])

    threads = [threading.Thread(target=create, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200, *[500] * 11]


def test_faults_by_hand(served: Double) -> None:
    first, second = served.ports
    assert call(first, "POST", "/double/faults", do="refuse", on="GET /version", text="not today")[0] == 200
    assert call(first, "GET", "/api2/json/version", served.token)[:2] == (500, "not today")
    assert call(first, "POST", "/double/do", what="kill", node="pve2")[2]["data"]["nodes"] == {"pve1": 1, "pve2": 0}
    with pytest.raises(ConnectionRefusedError):
        call(second, "GET", "/api2/json/version", served.token)
    assert call(first, "GET", "/api2/json/nodes/pve2/status", served.token)[0] == 595
    assert call(first, "POST", "/double/do", what="revive", node="pve2")[2]["data"]["quorate"] == 1
    assert call(second, "GET", "/api2/json/version", served.token)[0] == 200
    assert call(first, "POST", "/double/do", what="explode")[0] == 400


def test_it_starts_with_one_command() -> None:
    command = [sys.executable, "-m", "double", "--nodes", "2", "--port", "0", "--latency", "0.01", "--json"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True, env={**os.environ}) as program:
        try:
            about = json.loads(program.stdout.readline() if program.stdout else "")
            address = urllib.parse.urlsplit(about["endpoints"]["pve2"])
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection("127.0.0.1", address.port, context=context, timeout=10)
            connection.request("GET", "/api2/json/version", headers={"Authorization": f"PVEAPIToken={about['token']}"})
            assert json.loads(connection.getresponse().read())["data"]["release"] == "9.1"
            assert len(about["fingerprint"].split(":")) == 32
        finally:
            program.send_signal(signal.SIGTERM)
    assert program.returncode == 0
