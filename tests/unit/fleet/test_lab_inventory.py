# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory a newcomer reads first is right, and says what the demo shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.addresses import allocate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.spec import parse

LAB = Path(__file__).parents[3] / "inventories" / "lab"

# In an interpreter of its own: Ansible's plugin loader puts itself in the way of Python's imports.
READ = """
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

init_plugin_loader()
loader = DataLoader()
inventory = InventoryManager(loader, sources=[sys.argv[1]])
for name, value in json.loads(sys.argv[2]).items():
    inventory.groups["all"].set_variable(name, value)
manager = VariableManager(loader, inventory)
hosts = {}
for host in inventory.get_hosts():
    variables = manager.get_vars(host=host)
    ours = {k: v for k, v in variables.items() if k.startswith(("fleet_", "node_", "vs_"))}
    hosts[host.name] = Templar(loader, variables).template(ours)
print(json.dumps([hosts, inventory.get_groups_dict()]))
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The lab's fleet, as ansible reads it where the lab's subnet is 10.9.8.0/24."""
    directory = tmp_path_factory.mktemp("lab")
    (directory / "ssh").mkdir()
    (directory / "ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA switchyard lab\n")
    facts = {"lab_subnet": "10.9.8.0/24", "lab_gateway": "10.9.8.1", "lab_dir": str(directory)}
    command = [sys.executable, "-c", READ, str(LAB / "hosts.yml"), json.dumps(facts)]
    hosts, groups = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return parse(hosts, groups)


def test_three_nodes_carry_two_routers_two_databases_and_twelve_pbxs(fleet):
    assert list(fleet.nodes) == ["node1", "node2", "node3"]
    assert sorted(fleet.servers) == ["db1", "db2", *(f"pbx{number:02d}" for number in range(1, 13)), "sip1", "sip2"]


def test_the_nodes_are_in_two_racks(fleet):
    assert [node.domain for node in fleet.nodes.values()] == ["rack1", "rack2", "rack2"]


def test_routers_and_databases_have_the_addresses_people_know_and_pbxs_get_theirs(fleet):
    declared = {name: server.interfaces[0].address for name, server in fleet.servers.items()}
    assert [declared[name] for name in ("sip1", "sip2", "db1", "db2")] == [f"10.9.8.{n}" for n in (101, 102, 111, 112)]
    assert not any(declared[name] for name in declared if name.startswith("pbx"))
    given = [server.interfaces[0].address for server in allocate(fleet, Observed({}, ())).servers.values()]
    assert len(set(given)) == 16
    assert all(100 <= int(address.rpartition(".")[2]) <= 250 for address in given)


def test_the_pairs_are_apart_and_the_routers_start_first(fleet):
    apart = {rule.label: (rule.kind, rule.over, rule.hard) for rule in fleet.rules}
    assert apart == {"databases": ("apart", "node", True), "sip_routers": ("apart", "failure_domain", True)}
    order = {name: server.start_order for name, server in fleet.servers.items()}
    assert order["sip1"] < order["db1"] < order["pbx01"]


def test_every_server_says_how_one_sees_that_it_answers(fleet):
    assert {server.checks[0].type for server in fleet.servers.values() if server.name.startswith("pbx")} == {"http"}
    assert all(server.checks for server in fleet.servers.values())


def test_the_key_of_the_lab_opens_the_servers(fleet):
    assert fleet.ssh_keys == ("ssh-ed25519 AAAA switchyard lab",)
