# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nodes are fenced, and what a fence agent does not take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster import fencing, nvpairs
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.fencing import Fence, metadata, mistakes
from ansible_collections.switchyard.fleet.plugins.modules.node_fencing import watchdog_trouble

LAB_SWITCH = Path(__file__).parents[3] / "roles" / "failover" / "files" / "fence_switchyard_lab"
IPMI = """\
<resource-agent name="fence_ipmilan"><parameters>
<parameter name="ip" required="1"/><parameter name="username" required="0"/><parameter name="password" required="0"/>
<parameter name="plug" required="1"/><parameter name="action" required="1"/>
</parameters><actions><action name="off"/><action name="status"/></actions></resource-agent>"""


def parameters(fence: Fence) -> dict[str, str]:
    resources, _constraints = fencing.devices([fence])
    return nvpairs.read(resources[0].find("instance_attributes"))


# ---------------------------------------------------------------- devices


def test_no_node_fences_itself():
    _resources, constraints = fencing.devices([Fence("n1", "fence_ipmilan"), Fence("n2", "fence_ipmilan")])
    for constraint, node in zip(constraints, ("n1", "n2"), strict=True):
        (expression,) = constraint.iter("expression")
        assert constraint.get("rsc") == f"switchyard-fence-{node}"
        assert (expression.get("operation"), expression.get("value")) == ("ne", node)


def test_a_device_is_for_its_node_alone():
    assert parameters(Fence("n1", "fence_ipmilan", {"ip": "10.9.0.1"})) == {
        "pcmk_host_list": "n1",
        "pcmk_host_check": "static-list",
        "ip": "10.9.0.1",
    }


def test_a_plug_that_is_named_is_not_replaced_by_the_nodes_name():
    assert parameters(Fence("n1", "fence_apc", {"plug": "7"}))["pcmk_host_argument"] == "none"


def test_what_the_inventory_says_to_pacemaker_counts():
    assert parameters(Fence("n1", "fence_x", {"pcmk_host_list": "n1.example"}))["pcmk_host_list"] == "n1.example"


def test_nodes_with_a_watchdog_share_one_device():
    resources, constraints = fencing.devices([Fence("n2", "watchdog"), Fence("n1", "watchdog")])
    assert [each.get("type") for each in resources] == ["fence_watchdog"]
    assert nvpairs.read(resources[0].find("instance_attributes"))["pcmk_host_list"] == "n1 n2"
    # Nothing is used where it is not told to be.
    (expression,) = constraints[0].iter("expression")
    assert (constraints[0].get("rsc"), expression.get("operation")) == ("switchyard-fence-watchdog", "defined")


def test_passwords_are_secret_and_plugs_are_not():
    given = {"ip": "10.9.0.1", "plug": "n1", "password": "hush", "username": "ops", "pcmk_delay_max": "5"}
    assert fencing.secrets(given) == {"hush", "ops"}


def test_a_node_without_a_watchdog_cannot_reset_itself(tmp_path):
    (tmp_path / "watchdog1").touch()
    assert watchdog_trouble(tmp_path / "watchdog").startswith(f"there is no {tmp_path}/watchdog: load its driver")
    # Something of that name does not do: it has to be a device.
    (tmp_path / "watchdog").touch()
    assert "there is no" in watchdog_trouble(tmp_path / "watchdog")
    assert watchdog_trouble(Path("/dev/null")) == ""


# ---------------------------------------------------------------- what an agent takes


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"ip": "x", "plug": "1"}, []),
        ({"ip": "x", "port": "1"}, ["does not take port"]),
        ({"ip": "x", "plug": "1", "pasword": "p"}, ["does not take pasword"]),
        ({"plug": "1"}, ["needs ip"]),
        ({"ip": "x"}, ["needs plug"]),
        ({"ip": "x", "plug": "1", "pcmk_delay_max": "5s"}, []),
    ],
)
def test_parameters_are_compared_with_what_it_takes(given, wrong):
    known = metadata(IPMI)
    assert known is not None
    assert list(mistakes(known, given)) == wrong


def test_one_that_cannot_switch_off_fences_nobody():
    known = metadata(IPMI.replace("off", "on"))
    assert known is not None
    assert "cannot switch off" in " ".join(mistakes(known, {"ip": "x", "plug": "1"}))


@pytest.mark.parametrize("text", ["", "no such agent", "<html/>"])
def test_what_is_no_metadata_is_none(text):
    assert metadata(text) is None


# ---------------------------------------------------------------- the lab's own


def lab_switch(*arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(LAB_SWITCH), *arguments]
    return subprocess.run(command, input=told, capture_output=True, text=True, check=False, timeout=30)


def test_the_labs_switch_says_what_it_takes():
    known = metadata(lab_switch("-o", "metadata").stdout)
    assert known is not None
    assert list(mistakes(known, {"ip": "10.9.0.1", "plug": "node1"})) == []
    assert list(mistakes(known, {"plug": "node1"})) == ["needs ip"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("action=status\nplug=node1\n", "ip is missing"),
        ("action=explode\nip=10.9.0.1\n", "action explode is none of"),
        ("action=off\nip=10.9.0.1\nplug=n\ncertificate=/nowhere\n", "cannot be read"),
    ],
)
def test_what_the_labs_switch_cannot_do_fails(told, said):
    done = lab_switch(told=told)
    assert done.returncode == 1
    assert said in done.stderr
