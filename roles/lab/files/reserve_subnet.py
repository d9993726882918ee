# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reserve a free /24 for a lab: reserve_subnet.py LABS NAME BRIDGE [--subnet CIDR] [--check].

A subnet is free when it overlaps no address and no route of this machine (the default route aside)
and no other lab below the directory LABS. The choice is written to ``LABS/NAME/lab.json`` while the
directory LABS is locked, so two labs begun at once do not get the same one. A lab that has its
subnet keeps it. Prints JSON: ``lab`` (the content of lab.json) and ``new`` (whether the choice was made just now).
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

CANDIDATES = [f"10.{second}.{third}.0/24" for second in (77, 97, 117, 177, 217) for third in range(0, 256, 8)]


class SubnetError(Exception):
    """No subnet can be had; the message says why."""


def overlap(subnet: IPv4Network, taken: Iterable[tuple[str, IPv4Network]]) -> str:
    """What stands in the subnet's way, in words; empty when it is free."""
    return next((f"{what} {network}" for what, network in taken if network.overlaps(subnet)), "")


def of_machine(bridge: str) -> list[tuple[str, IPv4Network]]:
    """Addresses and routes of this machine, those of the lab's own bridge left out."""

    def ask(*command: str) -> list[dict[str, Any]]:
        answer = subprocess.run(["ip", "-4", "-json", *command], capture_output=True, text=True, check=True).stdout
        parsed: list[dict[str, Any]] = json.loads(answer or "[]")
        return parsed

    taken = []
    for link in ask("address", "show"):
        for address in link.get("addr_info", []):
            if link.get("ifname") != bridge:
                cidr = f"{address['local']}/{address['prefixlen']}"
                taken.append((f"this machine's {link['ifname']} has", IPv4Network(cidr, strict=False)))
    for route in ask("route", "show", "table", "all"):
        if route.get("dst", "default") != "default" and route.get("dev") != bridge:
            taken.append(("this machine has a route to", IPv4Network(route["dst"], strict=False)))
    return taken


def of_labs(labs: Path, name: str) -> list[tuple[str, IPv4Network]]:
    """Subnets of the other labs."""
    taken = []
    for path in labs.glob("*/lab.json"):
        if path.parent.name != name:
            taken.append((f"the lab {path.parent.name} has", IPv4Network(json.loads(path.read_text())["subnet"])))
    return taken


def choose(wanted: str, taken: list[tuple[str, IPv4Network]]) -> IPv4Network:
    """The wanted subnet if it is free; else the first free candidate."""
    if not wanted:
        for candidate in map(IPv4Network, CANDIDATES):
            if not overlap(candidate, taken):
                return candidate
        raise SubnetError("none of the subnets a lab may use is free; name a free /24 as lab_subnet")
    try:
        subnet = ip_network(wanted)
    except ValueError as error:
        raise SubnetError(f"lab_subnet: {error}; a /24 such as 10.77.0.0/24 is wanted") from None
    if not isinstance(subnet, IPv4Network) or subnet.prefixlen != 24 or not subnet.is_private:
        raise SubnetError(f"lab_subnet {wanted} is not a private IPv4 /24")
    if blocked := overlap(subnet, taken):
        raise SubnetError(f"lab_subnet {wanted} is not free: {blocked}")
    return subnet


def describe(labs: Path, name: str, bridge: str, subnet: IPv4Network) -> dict[str, Any]:
    """What lab.json says of a lab that has no nodes yet."""
    directory = labs / name
    return {
        "name": name,
        "subnet": str(subnet),
        "gateway": str(subnet[1]),
        "bridge": bridge,
        "nodes": {},
        "ssh_key": str(directory / "ssh/id_ed25519"),
        "known_hosts": str(directory / "ssh/known_hosts"),
        "pki": str(directory / "pki"),
    }


def reserve(labs: Path, name: str, bridge: str, wanted: str, check: bool) -> tuple[dict[str, Any], bool]:
    """The lab's description, and whether it is new; written when it is new and this is no check."""
    path = labs / name / "lab.json"
    if path.is_file():
        lab: dict[str, Any] = json.loads(path.read_text())
        if wanted and wanted != lab["subnet"]:
            raise SubnetError(
                f"lab_subnet {wanted}: the lab {name} already has {lab['subnet']}; remove it (lab_state: absent) first"
            )
        return lab, False
    lab = describe(labs, name, bridge, choose(wanted, of_machine(bridge) + of_labs(labs, name)))
    if not check:
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(lab, indent=2) + "\n")
        temporary.replace(path)
    return lab, True


def main() -> int:
    """Reserve, or say in one line why not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("labs", type=Path)
    parser.add_argument("name")
    parser.add_argument("bridge")
    parser.add_argument("--subnet", default="")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    lock = None
    try:
        if arguments.labs.is_dir():
            lock = os.open(arguments.labs, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lab, new = reserve(arguments.labs, arguments.name, arguments.bridge, arguments.subnet, arguments.check)
    except (SubnetError, OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        if lock is not None:
            os.close(lock)
    sys.stdout.write(json.dumps({"lab": lab, "new": new}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
