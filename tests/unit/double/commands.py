# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done on the recorded cluster by a shell on a node, or by hand: it has no call."""

from __future__ import annotations

import re
from typing import Any

from double import Double


def carry_out(double: Double, row: dict[str, Any]) -> None:
    """Do the same to the double."""
    if row["method"] == "NOTE":
        _by_hand(double, row["step"])
    else:
        _container(double, row["path"])
        _node(double, row["path"])


def _by_hand(double: Double, step: str) -> None:
    if step == "power cut":
        double.faults.kill("pve3")
    elif step in ("cut", "second cut"):
        double.faults.kill("pve2")
        double.faults.kill("pve3")
    elif step == "node back":
        double.faults.revive("pve3")


def _container(double: Double, text: str) -> None:
    guests = double.world.cluster.guests
    for vmid, lock in re.findall(r"pct set (\d+) -lock ([\w-]+)", text):
        double.faults.lock_guest(int(vmid), lock)
    for vmid in re.findall(r"pct unlock (\d+)", text):
        double.faults.lock_guest(int(vmid), "")
    for vmid, key, value in re.findall(r"pct set (\d+) -(mp\d) (\S+)", text):
        guests[int(vmid)].config[key] = value
    for vmid, key in re.findall(r"pct set (\d+).* -delete (mp\d)", text):
        guests[int(vmid)].config.pop(key, None)


def _node(double: Double, text: str) -> None:
    for how, vmid in re.findall(r"lxc-(freeze|unfreeze) -n (\d+)", text):
        double.faults.deafen(int(vmid), how == "freeze")
    for state, node in re.findall(r"node-maintenance (enable|disable) (\w+)", text):
        double.faults.maintenance(node, state == "enable")
    if "pkill -9" in text:
        for task in double.world.tasks.of_node("pve2"):
            if not task.status:
                double.world.tasks.abort(task)
                task.lines.clear()
