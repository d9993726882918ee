# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of which one node left the fleet, or became one that only votes: stopped without a word, for a stop that fails
costs the other node."""

from __future__ import annotations

import argparse
from xml.etree.ElementTree import SubElement, fromstring, tostring

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import home, pair
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.launch import Deadline
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.settings import Settings
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.work import Work
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair, addition
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node

ADDRESS = "127.0.0.1"
LEFT = Pair("node1", "node3")


def settings(**nodes):
    known = {name: Node(name, ADDRESS, 1, witness=witness) for name, witness in nodes.items()}
    return Settings(Fleet("test", "incus", known, {}), "node1", dict.fromkeys(nodes, ""), "/nowhere", "/nowhere")


def asked(action, told):
    options = argparse.Namespace(action=action, home=LEFT.home, backup=LEFT.backup, seconds=5.0)
    return pair.run(told, options)


GONE = [settings(node1=False, node2=False), settings(node1=False, node2=False, node3=True)]


@pytest.mark.parametrize("told", GONE)
def test_one_of_a_node_that_left_is_not_begun(told, capsys):
    assert asked("start", told) == pair.MISCONFIGURED
    assert asked("validate", told) == pair.MISCONFIGURED
    assert "backup: node3 is no node of the fleet test that carries servers" in capsys.readouterr().err


@pytest.mark.parametrize("told", GONE)
@pytest.mark.parametrize("action", ["stop", "monitor"])
def test_one_of_a_node_that_left_is_looked_at_and_stopped_as_any_other(told, action):
    # It gets as far as this node's Incus, to which there is no way from here.
    with pytest.raises(EngineError, match="/nowhere"):
        asked(action, told)


class Guests:
    """One server of the pair, that runs, and does not stop."""

    def all(self, _attempt):
        marks = {"role": "primary", "generation": "1", "fleet": "test", "pair": "node1 node3", "keeps": "running"}
        config = {f"user.switchyard.{key}": text for key, text in marks.items()}
        return {"pbx": Found({"name": "pbx", "status": "Running", "config": config}, "", "node1")}

    def find(self, _name, attempt):
        raise Refused("node1", attempt, "it does not stop", "")


@pytest.fixture
def stop(tmp_path, monkeypatch):
    """Stop the pair, while Pacemaker knows these; None: it does not answer."""

    def stopped(*known):
        script = tmp_path / "cibadmin"
        configuration = fromstring(addition([each for each in known if each]))
        SubElement(configuration.find("resources"), "template", {"id": "switchyard-pair"})
        said = "exit 1" if None in known else f"echo '{tostring(configuration, encoding='unicode')}'"
        script.write_text(f"#!/bin/sh\n{said}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        home.stop(Work(GONE[0], LEFT, Guests(), Deadline(1.0)))

    return stopped


def test_servers_of_a_pair_that_is_nobodys_any_more_run_on(stop, capsys):
    stop(Pair("node1", "node2"), Pair("node2", "node1"))
    assert "pbx run on" in capsys.readouterr().err


@pytest.mark.parametrize("known", [LEFT, None])
def test_servers_that_another_node_may_start_are_stopped_for_certain_or_it_failed(stop, known):
    with pytest.raises(EngineError, match="pbx did not stop"):
        stop(known)
