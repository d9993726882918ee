# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting through to a cluster: who answers, who we are, what is said when it goes wrong."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused, Unreachable, Untrusted
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import (
    Busy,
    Changed,
    Client,
    Exists,
    Missing,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.session import Credentials
from cluster import LIMITS, client_of, endpoints_of, token_of
from double import Double

WHY = "test"


def test_a_token_and_a_ticket_both_read_and_write(double: Double) -> None:
    for number, who in enumerate((token_of(double), Credentials("root@pam", password=double.password))):
        client = client_of(double, who)
        client.send("POST", "/pools", WHY, {"poolid": f"p{number}"})
        assert client.get(f"/pools/p{number}", WHY)["poolid"] == f"p{number}"
        client.close()


def test_a_known_authority_is_as_good_as_a_fingerprint(double: Double) -> None:
    client = client_of(double, fingerprint="", authority=str(double.certificate))
    assert client.get("/version", WHY)["release"] == "9.1"


@pytest.mark.parametrize("change", [{"fingerprint": "ab" * 32}, {"fingerprint": ""}])
@pytest.mark.parametrize("password", [False, True])
def test_who_cannot_prove_to_be_the_node_is_told_nothing(
    double: Double, change: dict[str, str], password: bool
) -> None:
    who = Credentials("root@pam", password=double.password) if password else token_of(double)
    with pytest.raises(Untrusted, match=r"certificate"):
        client_of(double, who, **change).get("/version", WHY)


@pytest.mark.parametrize(
    "who", [Credentials("root@pam", token="double", secret="wrong"), Credentials("root@pam", password="wrong")]
)
def test_a_wrong_secret_is_nobodys_outage(double: Double, who: Credentials) -> None:
    with pytest.raises(Untrusted, match=r"(does not accept who we are|login was refused).*\(see the user"):
        client_of(double, who).get("/version", WHY)


def test_the_next_host_is_tried_and_the_dead_one_left_alone_then(double: Double) -> None:
    double.faults.kill("pve1")
    time.sleep(0.1)
    client = client_of(double)
    assert client.get("/version", WHY)["release"] == "9.1"
    assert client.calls == 2
    client.get("/version", WHY)
    assert client.calls == 3


def test_nobody_answering_names_everybody(double: Double) -> None:
    client = Client([replace(each, port=1) for each in endpoints_of(double)], token_of(double), LIMITS)
    with pytest.raises(Unreachable, match=r"pve1: no connection to 127.0.0.1 port 1.*pve3") as caught:
        client.get("/version", WHY)
    assert not caught.value.unsure


def test_a_question_is_asked_again_and_a_change_is_not(client: Client, double: Double) -> None:
    double.faults.add("lose-request", "GET /version")
    client.get("/version", WHY)
    double.faults.add("lose-answer", "POST /pools")
    with pytest.raises(Unreachable) as caught:
        client.send("POST", "/pools", WHY, {"poolid": "p"})
    assert caught.value.unsure
    assert client.get("/pools/p", WHY)


def test_nothing_is_written_without_a_quorum(client: Client, double: Double) -> None:
    double.faults.lose_quorum()
    with pytest.raises(Unreachable, match=r"no quorum; nothing was changed \(more than half"):
        client.send("POST", "/pools", WHY, {"poolid": "p"})
    assert client.get("/pools", WHY) == []


def test_many_writes_ask_for_the_quorum_once(client: Client) -> None:
    for number in range(5):
        client.send("POST", "/pools", WHY, {"poolid": f"p{number}"})
    assert client.calls == 6


def test_the_whole_text_comes_with_what_to_do(client: Client, double: Double) -> None:
    double.add_guest(100)
    with pytest.raises(Missing, match=r"Configuration file 'nodes/pve1/lxc/404.conf' does not exist"):
        client.get("/nodes/pve1/lxc/404/config", WHY, node="pve1")
    with pytest.raises(Refused, match=r"Parameter verification failed. memory: type check"):
        client.send("PUT", "/nodes/pve1/lxc/100/config", WHY, {"memory": "abc"})
    with pytest.raises(Changed, match=r"try again"):
        client.send("PUT", "/nodes/pve1/lxc/100/config", WHY, {"memory": 99, "digest": "0" * 40})
    client.send("POST", "/pools", WHY, {"poolid": "p"})
    with pytest.raises(Exists):
        client.send("POST", "/pools", WHY, {"poolid": "p"})
    double.faults.lock_guest(100, "backup")
    with pytest.raises(Busy, match=r"CT is locked \(backup\) \(another task has locked the guest"):
        client.send("PUT", "/nodes/pve1/lxc/100/config", WHY, {"memory": 99})


def test_a_dead_node_behind_a_living_host_is_unreachable(double: Double) -> None:
    double.add_guest(100, "pve3")
    double.faults.kill("pve3")
    client = client_of(double)
    with pytest.raises(Unreachable, match=r"pve3: test: the node does not answer the others: Connection") as caught:
        client.send("POST", "/nodes/pve3/lxc/100/status/start", WHY, node="pve3")
    assert not caught.value.unsure
