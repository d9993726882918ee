# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pacemaker's live configuration beside the wanted one."""

from __future__ import annotations

import random
from dataclasses import replace
from xml.etree.ElementTree import Element, SubElement, fromstring

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster import nvpairs, pacemaker, pairs
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.comparison import compare, same
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.fencing import Fence
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pacemaker import OPTIONS, RECORD, Wanted
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair, Timing

NODES = ("n1", "n2", "n3")
FENCES = tuple(Fence(node, "fence_ipmilan", {"ip": f"10.9.0.{node[1]}", "password": "hush"}) for node in NODES)
WANTED = Wanted(NODES, NODES, FENCES)
PAIRS = (Pair("n1", "n2"), Pair("n2", "n1"))
FRESH = "<configuration><crm_config/><nodes/><resources/><constraints/></configuration>"


def live(wanted: Wanted = WANTED, of=PAIRS) -> Element:
    """A configuration that was pushed, and shuffled as a cluster may hand it back."""
    made = pacemaker.configuration(wanted, of)
    for section in made:
        children = list(section)
        random.Random(7).shuffle(children)
        section[:] = children
    nodes = SubElement(made, "nodes")
    for number, name in enumerate(wanted.nodes, 1):
        SubElement(nodes, "node", {"id": str(number), "uname": name})
    return made


def resource(made: Element, identity: str) -> Element:
    found = made.find(f"resources/*[@id='{identity}']")
    assert found is not None, identity
    return found


def test_what_was_pushed_differs_in_nothing():
    assert not compare(live(), WANTED).differs


def test_pushed_once_it_is_as_wanted():
    merged = compare(fromstring(FRESH), WANTED).merged
    assert not compare(merged, WANTED).differs


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made.find(".//nvpair[@name='stonith-enabled']").set("value", "false"),
        lambda made: resource(made, "switchyard-fence-n2").find(".//nvpair[@name='ip']").set("value", "10.9.9.9"),
        lambda made: resource(made, "switchyard-fence-n2").find(".//nvpair[@name='password']").set("value", "other"),
        lambda made: made.find("resources").remove(resource(made, "switchyard-fence-n3")),
        lambda made: made.find("resources/template/operations").remove(made.find("resources/template/operations/op")),
        lambda made: made.find("constraints").remove(made.find("constraints/rsc_location[@id='pair-n1-n2-backup']")),
        lambda made: made.find("constraints/rsc_location[@id='pair-n1-n2-home']").set("score", "-1"),
        lambda made: nvpairs.add(made.find("crm_config"), "cluster_property_set", pacemaker.MAINTENANCE, {}),
    ],
)
def test_whatever_is_spoiled_is_mended(spoil):
    made = live()
    spoil(made)
    comparison = compare(made, WANTED)
    assert comparison.differs
    assert not compare(comparison.merged, WANTED).differs
    # And what was not spoiled is as it was, element for element.
    assert all(same(resource(comparison.merged, pair.identity), pairs.resource(pair)) for pair in PAIRS)


def test_another_timing_is_one_line():
    comparison = compare(live(), replace(WANTED, timing=Timing(monitor=9)))
    changed = set(comparison.after) - set(comparison.before)
    assert len(changed) == 1
    assert "monitor interval=9s" in changed.pop()


def test_secrets_are_in_no_line():
    other = replace(WANTED, fences=(Fence("n1", "fence_ipmilan", {"ip": "10.9.0.1", "password": "new"}), *FENCES[1:]))
    comparison = compare(live(), other)
    text = "\n".join(comparison.before + comparison.after)
    assert "hush" not in text
    assert "password=new" not in text
    assert "another value" in text


def test_pairs_of_a_node_that_left_go_with_all_that_is_about_them():
    made = live(of=[*PAIRS, Pair("n3", "n1")])
    banned = {"id": "cli-ban-pair-n3-n1", "rsc": "pair-n3-n1", "node": "n1", "score": "-INFINITY"}
    SubElement(made.find("constraints"), "rsc_location", banned)
    comparison = compare(made, Wanted(NODES[:2], NODES[:2], FENCES[:2]))
    assert pairs.found(comparison.merged) == {pair.identity: pair for pair in PAIRS}
    assert not [each for each in comparison.merged.find("constraints") if "n3" in each.get("id", "")]
    assert comparison.gone == ("n3",)


def test_a_witness_is_in_no_pair():
    made = live(of=[*PAIRS, Pair("n1", "n3")])
    comparison = compare(made, Wanted(NODES, NODES[:2], FENCES))
    assert set(pairs.found(comparison.merged).values()) == set(PAIRS)


def test_what_others_configured_stays_and_is_named():
    made = live()
    SubElement(
        made.find("resources"), "primitive", {"id": "vip", "class": "ocf", "provider": "heartbeat", "type": "IP"}
    )
    SubElement(made.find("constraints"), "rsc_location", {"id": "cli-prefer-vip", "rsc": "vip", "node": "n1"})
    SubElement(made.find("constraints"), "rsc_location", {"id": "cli-ban-pair", "rsc": "pair-n1-n2", "node": "n1"})
    options = made.find(f"crm_config/cluster_property_set[@id='{OPTIONS}']")
    SubElement(options, "nvpair", {"id": "m", "name": "maintenance-mode", "value": "true"})
    SubElement(options, "nvpair", {"id": "w", "name": "have-watchdog", "value": "false"})
    nvpairs.add(made.find("crm_config"), "cluster_property_set", RECORD, {"server-a": "n1 1000"})
    comparison = compare(made, WANTED)
    assert not comparison.differs
    assert set(comparison.strangers) == {
        "primitive vip",
        "rsc_location cli-prefer-vip",
        "rsc_location cli-ban-pair",
        "option maintenance-mode: true",
    }
    kept = comparison.merged.find(f"crm_config/cluster_property_set[@id='{RECORD}']")
    assert nvpairs.read(kept) == {"server-a": "n1 1000"}


def test_a_whole_cib_is_compared_as_its_configuration():
    cib = Element("cib", {"epoch": "3"})
    cib.append(live())
    assert not compare(cib, WANTED).differs


def test_a_watchdog_gives_a_node_time_to_reset_itself():
    wanted = Wanted(NODES, NODES, (*FENCES[:2], Fence("n3", "watchdog")), watchdog=20)
    assert pacemaker.options(wanted)["stonith-watchdog-timeout"] == "20s"
    assert pacemaker.options(WANTED)["stonith-watchdog-timeout"] == "0"
