# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every server gets an address, and keeps it whatever is added or removed."""

from __future__ import annotations

import random
from dataclasses import replace

import netaddr
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.addresses import allocate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import InventoryError
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Network,
    Node,
    Observed,
    ObservedServer,
    Server,
    Size,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SIZE = Size(1, 64, 64)
LAN = Network("lan", "10.20.0.0/24", gateway="10.20.0.1", dns=("10.20.0.53",), reserved=("10.20.0.2-10.20.0.9",))
NOTHING = Observed({}, ())


def fleet(*servers: str | Server, networks: tuple[Network, ...] = (LAN,)) -> Fleet:
    made = [s if isinstance(s, Server) else server(s) for s in servers]
    nodes = {"n1": Node("n1", "10.20.0.11")}
    return Fleet("lab", "incus", nodes, {s.name: s for s in made}, networks={n.name: n for n in networks})


def server(name: str, *legs: Interface) -> Server:
    return Server(name, SIZE, "tiny", interfaces=legs or (Interface("lan"),))


def guest(name: str, address: str, **facts: object) -> ObservedServer:
    known = {"node": "n1", "state": "running", "size": SIZE, "fleet": "lab", "interfaces": (Interface("lan", address),)}
    return ObservedServer(name, **{**known, **facts})  # type: ignore[arg-type]


def given_to(result: Fleet) -> dict[str, str]:
    return {name: s.interfaces[0].address for name, s in result.servers.items()}


def as_observed(result: Fleet) -> Observed:
    return Observed({}, tuple(guest(name, address) for name, address in given_to(result).items()))


def test_every_server_gets_an_address_of_its_own_that_is_nobody_elses():
    given = list(given_to(allocate(fleet(*(f"s{i}" for i in range(240))), NOTHING)).values())
    assert len(set(given)) == 240
    taken = {f"10.20.0.{last}" for last in (0, 1, *range(2, 10), 11, 53, 255)}
    assert not taken & set(given)
    assert all(netaddr.IPAddress(address) in netaddr.IPNetwork(LAN.cidr) for address in given)


def test_the_same_fleet_gets_the_same_addresses_in_any_order():
    names = [f"s{i}" for i in range(100)]
    shuffled = random.Random(1).sample(names, len(names))
    assert given_to(allocate(fleet(*names), NOTHING)) == given_to(allocate(fleet(*shuffled), NOTHING))


def test_a_declared_address_is_left_alone_and_given_to_nobody():
    free = given_to(allocate(fleet("a"), NOTHING))["a"]
    result = given_to(allocate(fleet("a", server("z", Interface("lan", free))), NOTHING))
    assert result["z"] == free
    assert result["a"] != free


def test_a_server_that_exists_keeps_its_address():
    observed = Observed({}, (guest("a", "10.20.0.200"),))
    assert given_to(allocate(fleet("a"), observed)) == {"a": "10.20.0.200"}


def test_so_does_one_on_a_node_that_does_not_answer_of_which_only_addresses_are_known():
    lost = guest("a", "", state="unknown", interfaces=(), addresses=("192.0.2.1", "10.20.0.200"))
    assert given_to(allocate(fleet("a"), Observed({}, (lost,)))) == {"a": "10.20.0.200"}


def test_of_two_copies_the_right_one_tells_the_address():
    stale = guest("a", "10.20.0.201", generation=1)
    right = guest("a", "10.20.0.200", generation=2, node="n2")
    replica = guest("a", "10.20.0.202", generation=3, role="replica", node="n3")
    for copies in ((stale, right, replica), (replica, right, stale)):
        assert given_to(allocate(fleet("a"), Observed({}, copies))) == {"a": "10.20.0.200"}


@pytest.mark.parametrize("address", ["10.20.0.255", "10.20.0.5", "10.20.0.1", "10.99.0.1", "10.20.0.11", "rubbish"])
def test_an_address_that_is_not_valid_any_more_is_given_up(address):
    new = given_to(allocate(fleet("a"), Observed({}, (guest("a", address),))))["a"]
    assert new not in ("", address)


def test_an_address_another_server_declares_now_is_given_up():
    wanted = server("z", Interface("lan", "10.20.0.200"))
    result = given_to(allocate(fleet("a", wanted), Observed({}, (guest("a", "10.20.0.200"),))))
    assert result["z"] == "10.20.0.200"
    assert result["a"] != "10.20.0.200"


def test_addresses_of_strangers_orphans_and_whoever_answers_are_given_to_nobody():
    first = given_to(allocate(fleet("a"), NOTHING))["a"]
    stranger = guest("x", "", fleet="", interfaces=(), addresses=(first,))
    orphan = guest("gone", first)
    for observed in (Observed({}, (stranger,)), Observed({}, (orphan,)), Observed({}, (), answering={first: "ARP"})):
        assert given_to(allocate(fleet("a"), observed))["a"] != first


def test_a_stranger_of_the_same_name_lends_its_address_to_nobody():
    stranger = guest("a", "10.20.0.200", fleet="other")
    assert given_to(allocate(fleet("a"), Observed({}, (stranger,))))["a"] != "10.20.0.200"


def test_each_interface_gets_an_address_of_its_network():
    wan = Network("wan", "2001:db8::/64")
    legs = (Interface("lan"), Interface("wan"), Interface("lan"))
    result = allocate(fleet(server("a", *legs), networks=(LAN, wan)), NOTHING)
    lan, six, second = (leg.address for leg in result.servers["a"].interfaces)
    assert netaddr.IPAddress(six) in netaddr.IPNetwork(wan.cidr)
    assert lan != second
    assert {leg.network for leg in result.servers["a"].interfaces} == {"lan", "wan"}


def test_two_interfaces_on_one_network_keep_their_order():
    legs = (Interface("lan"), Interface("lan"))
    had = guest("a", "", interfaces=(Interface("lan", "10.20.0.201"), Interface("lan", "10.20.0.200")))
    result = allocate(fleet(server("a", *legs)), Observed({}, (had,)))
    assert [leg.address for leg in result.servers["a"].interfaces] == ["10.20.0.201", "10.20.0.200"]


def test_a_network_that_is_full_is_a_mistake_for_each_server_it_has_no_address_for():
    tiny = Network("lan", "192.0.2.0/29", gateway="192.0.2.1", reserved=("192.0.2.2-192.0.2.3",))
    full = fleet("a", "b", "c", networks=(tiny,))
    assert len(set(given_to(allocate(full, NOTHING)).values())) == 3
    with pytest.raises(InventoryError) as caught:
        allocate(fleet("a", "b", "c", "d", "e", networks=(tiny,)), NOTHING)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"{name}: vs_address: network lan (192.0.2.0/29) is full: 3 addresses for servers, none of them free; "
        "accepted: a wider cidr, fewer reserved addresses, or another network"
        for name in ("d", "e")
    ]


def test_a_network_that_is_all_reserved_has_no_address():
    none = Network("lan", "192.0.2.0/30", reserved=("192.0.2.0/30",))
    with pytest.raises(InventoryError, match="0 addresses for servers"):
        allocate(fleet("a", networks=(none,)), NOTHING)


def test_every_address_of_a_network_with_holes_is_found():
    holes = Network(
        "lan", "192.0.2.0/27", gateway="192.0.2.7", reserved=("192.0.2.3-192.0.2.5", "192.0.2.16/30", "192.0.2.4")
    )
    given = given_to(allocate(fleet(*(f"s{i}" for i in range(22)), networks=(holes,)), NOTHING)).values()
    wanted = set(range(1, 31)) - {3, 4, 5, 7, 16, 17, 18, 19}
    assert {int(address.rpartition(".")[2]) for address in given} == wanted


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=40))
def test_whatever_is_added_or_removed_nobody_elses_address_changes(changes):
    present: set[str] = set()
    observed = NOTHING
    known: dict[str, str] = {}
    for add, number in changes:
        name = f"s{number}"
        (present.add if add else present.discard)(name)
        result = allocate(fleet(*present), observed)
        now = given_to(result)
        assert len(set(now.values())) == len(now)
        assert {name: known[name] for name in present & known.keys()} == {
            name: now[name] for name in present & known.keys()
        }
        known, observed = now, as_observed(result)


def test_ten_thousand_servers_have_addresses_and_keep_them():
    wide = replace(LAN, cidr="10.20.0.0/16")
    many = fleet(*(f"pbx-{i:05d}" for i in range(10_000)), networks=(wide,))
    result = allocate(many, NOTHING)
    again = allocate(many, as_observed(result))
    assert len(set(given_to(result).values())) == 10_000
    assert given_to(result) == given_to(again)
