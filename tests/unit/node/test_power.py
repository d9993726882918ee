# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node counts as off when it was seen off, and not before. Agents here are programs, called as real ones are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.node.power import Power, PowerError

AGENT = """#!/bin/sh
if [ "$1" = -o ]; then
    echo '<resource-agent name="x"><parameters><parameter name="plug" required="1"/></parameters></resource-agent>'
    exit 0
fi
cat >"$0.asked"
cat "$0.asked" >>"$0.all"
grep -q '^plug=node1$' "$0.asked" || { echo "no such plug" >&2; exit 1; }
case $(sed -n 's/^action=//p' "$0.asked") in
    status) exit "$(cat "$0.state")" ;;
    off) [ -e "$0.stuck" ] || echo 2 >"$0.state" ;;
    on) echo 0 >"$0.state" ;;
esac
"""


class Machine:
    """The commands there are on a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.called: list[str] = []

    def add(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, command: list[str], text: str) -> tuple[int, str] | None:
        path = shutil.which(command[0], path=str(self.folder))
        if path is None:
            return None
        self.called.append(" ".join(command))
        done = subprocess.run([path, *command[1:]], input=text, text=True, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def power(self, agent: str = "fence_x", **parameters: str) -> Power:
        return Power(self.run, "node1", agent, parameters, patience=0.3, pause=0.1)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    agent = found.add("fence_x", AGENT)
    Path(f"{agent}.state").write_text("0")
    return found


def test_the_power_is_cut_and_seen_off(machine: Machine) -> None:
    assert machine.power(ip="192.0.2.1", pcmk_delay_max="5s").off() == ("fence_x", True)
    asked = (machine.folder / "fence_x.all").read_text()
    assert "ip=192.0.2.1" in asked
    assert "pcmk" not in asked, "that is for Pacemaker"
    assert "ip=192.0.2.1" not in " ".join(machine.called), "parameters are nobody's to read"


def test_one_that_is_off_is_left_so(machine: Machine) -> None:
    (machine.folder / "fence_x.state").write_text("2")
    assert machine.power().off() == ("fence_x", False)
    assert "action=off" not in (machine.folder / "fence_x.all").read_text()


def test_an_agent_that_only_says_so_is_not_believed(machine: Machine) -> None:
    (machine.folder / "fence_x.stuck").touch()
    with pytest.raises(PowerError, match=r"fence_x was asked to turn it off \(no complaint\), and it is still on"):
        machine.power().off()


def test_an_agent_that_refuses_is_quoted(machine: Machine) -> None:
    with pytest.raises(PowerError, match=r"no such plug\), and its state cannot be seen"):
        machine.power(plug="node7").off()


def test_what_is_missing_is_said(machine: Machine) -> None:
    with pytest.raises(PowerError, match="fence_y is not installed here"):
        machine.power("fence_y").off()
    with pytest.raises(PowerError, match=r"no way to cut its power \(node_fence\)"):
        machine.power("").off()
    with pytest.raises(PowerError, match="its watchdog resets it where a cluster runs"):
        machine.power("watchdog").off()


def test_the_cluster_is_asked_where_one_runs(machine: Machine) -> None:
    machine.add("crm_mon", "#!/bin/sh\nexit 0\n")
    machine.add("stonith_admin", "#!/bin/sh\nexit 0\n")
    assert machine.power("watchdog").off() == ("the cluster", True)
    assert machine.called[-1] == "stonith_admin --fence node1 --timeout 60"


def test_a_cluster_that_only_says_so_is_not_believed_where_somebody_can_look(machine: Machine) -> None:
    machine.add("crm_mon", "#!/bin/sh\nexit 0\n")
    machine.add("stonith_admin", "#!/bin/sh\nexit 0\n")
    assert machine.power().off() == ("fence_x", True), "its agent switches off what is still on"
    (machine.folder / "fence_x.state").write_text("0")
    (machine.folder / "fence_x.stuck").touch()
    with pytest.raises(PowerError, match="the cluster says that it fenced it, and it is not off; fence_x was asked"):
        machine.power().off()


def test_where_the_cluster_cannot_the_agent_does_and_the_cluster_is_told(machine: Machine) -> None:
    machine.add("crm_mon", "#!/bin/sh\nexit 0\n")
    machine.add("stonith_admin", "#!/bin/sh\n[ $1 = --confirm ] || { echo 'No such device' >&2; exit 1; }\n")
    assert machine.power().off() == ("fence_x", True)
    assert machine.called[-1] == "stonith_admin --confirm node1"
    with pytest.raises(PowerError, match="the cluster could not fence it: No such device; its watchdog"):
        machine.power("watchdog").off()


def test_a_cluster_that_is_down_is_none(machine: Machine) -> None:
    machine.add("crm_mon", "#!/bin/sh\nexit 102\n")
    assert machine.power().off() == ("fence_x", True)
    assert not machine.power().confirm()


def test_power_comes_back(machine: Machine) -> None:
    (machine.folder / "fence_x.state").write_text("2")
    assert machine.power().on()
    assert not machine.power().on()
