# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses are tried before they are given to a server. On 127.0.0.0/8 this machine itself answers on every one."""

from __future__ import annotations

from collections.abc import Callable

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils import survey
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Network
from ansible_collections.switchyard.fleet.plugins.module_utils.probe import answering
from ansible_collections.switchyard.fleet.plugins.module_utils.survey import Surveyor

TAKEN = "127.8.0.77"


class Platform:
    """An engine as far as a survey needs one: it only observes."""

    def __init__(self, observed):
        self._observed = observed

    def observe(self, measure=False):
        return self._observed


def look(address="", cidr="127.8.0.0/24", guests=()):
    server = b.server("pbx1", interfaces=(Interface("lan", address),))
    fleet = b.fleet([b.node("n1")], [server], networks={"lan": Network("lan", cidr)})
    return Surveyor(fleet, Platform(b.observed([b.seen("n1")], [b.guest(server, "n1", **facts) for facts in guests])))()


def test_an_address_somebody_has_answers():
    assert set(answering([TAKEN, "127.8.0.78"])) == {TAKEN, "127.8.0.78"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], bool]], list[str]]:
    """Let those addresses answer of which that is true; all that are tried."""

    def answers(judge: Callable[[str], bool]) -> list[str]:
        tried: list[str] = []

        def answering(addresses):
            tried.extend(sorted(addresses))
            return {address: "answers ping" for address in addresses if judge(address)}

        monkeypatch.setattr(survey, "answering", answering)
        return tried

    return answers


def test_a_declared_address_that_answers_is_refused_by_the_planner(asked):
    asked(lambda address: address == TAKEN)
    plan = converge(*look(TAKEN))
    assert f"address {TAKEN} is in use" in plan.refusals[0].reason


def test_of_allocated_addresses_one_is_given_that_nobody_answers_on(asked):
    answered = []

    def the_first_two(address):
        if address != "127.8.0.0" and len(answered) < 2:
            answered.append(address)
        return address in answered

    tried = asked(the_first_two)
    resolved, observed = look()
    assert converge(resolved, observed).refusals == ()
    assert len(set(tried) - {"127.8.0.0"}) == 3
    assert resolved.servers["pbx1"].interfaces[0].address == tried[-1]


def test_a_network_where_every_address_answers_gives_none(asked):
    asked(lambda address: address != "127.8.0.0")
    plan = converge(*look())
    assert "as every address tried before" in plan.refusals[0].reason


def test_where_an_address_answers_that_no_machine_can_have_answers_prove_nothing():
    """A firewall that refuses for everybody behind it, a proxy that accepts everything: here, the loopback network."""
    resolved, observed = look()
    assert converge(resolved, observed).refusals == ()
    assert resolved.servers["pbx1"].interfaces[0].address
    assert observed.answering == {}
    assert converge(*look(TAKEN)).refusals == ()


def test_whether_a_network_can_be_believed_is_found_out_once(asked):
    tried = asked(lambda _address: False)
    server = b.server("pbx1", interfaces=(Interface("lan", ""),))
    fleet = b.fleet([b.node("n1")], [server], networks={"lan": Network("lan", "127.8.0.0/24")})
    surveyor = Surveyor(fleet, Platform(b.observed([b.seen("n1")], [])))
    for _again in range(2):
        surveyor()
    assert tried.count("127.8.0.0") == 1


def test_where_every_address_may_be_a_machines_an_answer_is_believed(asked):
    tried = asked(lambda _address: True)
    assert converge(*look(cidr="2001:db8::/64")).refusals
    assert "2001:db8::" not in tried


def test_an_existing_servers_address_is_its_own_and_not_tried():
    _resolved, observed = look(TAKEN, guests=[{"addresses": (TAKEN,)}])
    assert observed.answering == {}
