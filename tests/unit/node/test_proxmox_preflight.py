# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a machine from becoming a Proxmox VE node, one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.node.facts import Bridge, NodeFacts
from ansible_collections.switchyard.fleet.plugins.module_utils.node.proxmox_preflight import (
    ProxmoxFacts,
    ProxmoxNeeds,
    judge,
    own_kernel,
)

NODE = NodeFacts(
    root=True,
    architecture="x86_64",
    cores=8,
    memory=16384,
    distribution="debian",
    version="13",
    codename="trixie",
    hostname="pve1",
    hostname_addresses=("192.0.2.11",),
    disk_free=100000,
    storage_path="/",
    listeners=(),
    bridge=Bridge("vmbr0"),
    device="eno1",
    commands=frozenset({"ip", "ss", "apt-get", "systemctl"}),
)
FIT = ProxmoxFacts(NODE, "", "6.12.48-amd64")
NEEDS = ProxmoxNeeds("pve1", "192.0.2.11", 4, 8192, 5120)


def checks(facts: ProxmoxFacts, **node: Any) -> list[str]:
    return [unfit.check for unfit in judge(replace(facts, node=replace(NODE, **node)), NEEDS)]


def test_a_fresh_debian_is_fit_and_so_is_a_node_from_the_iso() -> None:
    assert judge(FIT, NEEDS) == []
    assert checks(replace(FIT, version="9.1.9", kernel="6.17.2-1-pve")) == []
    assert checks(FIT, version="12", codename="bookworm") == []


@pytest.mark.parametrize(
    ("different", "check"),
    [
        ({"architecture": "aarch64"}, "architecture"),
        ({"cores": 3}, "cores"),
        ({"memory": 8191}, "memory"),
        ({"disk_free": 5119}, "disk"),
        ({"root": False}, "root"),
        ({"version": "11"}, "release"),
        ({"distribution": "ubuntu", "version": "24.04"}, "release"),
        ({"commands": frozenset({"ip", "ss", "apt-get"})}, "command"),
        ({"device": ""}, "address"),
        ({"hostname_addresses": ("127.0.1.1",)}, "name"),
        ({"hostname_addresses": ("127.0.1.1", "192.0.2.11")}, "name"),
        ({"hostname": "debian"}, "name"),
        ({"packages": ("incus-base",)}, "package"),
        ({"packages": ("network-manager",)}, "package"),
    ],
)
def test_each_thing_that_is_wrong_is_found_alone(different: dict[str, Any], check: str) -> None:
    assert checks(FIT, **different) == [check]


def test_a_port_that_a_stranger_has() -> None:
    told = judge(replace(FIT, listeners=((8006, "nginx (pid 7)"),)), NEEDS)
    assert [(each.check, each.found) for each in told] == [("port", "8006/tcp is taken by nginx (pid 7)")]


def test_a_node_may_be_as_full_as_it_likes_and_has_to_be_of_one_release() -> None:
    assert checks(replace(FIT, version="9.1.9"), disk_free=10) == []
    assert checks(replace(FIT, version="8.4.14")) == ["release"]


def test_a_host_name_with_its_domain_is_the_same_name() -> None:
    assert checks(FIT, hostname="pve1.example.net") == []


def test_whose_kernel_runs() -> None:
    assert own_kernel("6.14.8-2-pve") and not own_kernel("6.12.48+deb13-amd64")
