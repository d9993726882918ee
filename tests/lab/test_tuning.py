# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of real nodes: set where it differs and nowhere else, foretold as it comes, and so after a restart.

The lab's nodes are containers: their networks' settings are their own, the rest of the kernel is not theirs to set.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.disturb import power_cut

pytestmark = [pytest.mark.lab, pytest.mark.long]

FILE = "/etc/sysctl.d/60-switchyard-node.conf"
WINDOWS = "net.ipv4.tcp_wmem"
"""One of the role's own settings: three limits."""
CONGESTION = "net.ipv4.tcp_congestion_control"
"""One that the role leaves to the inventory."""
PROBING = "net.ipv4.tcp_mtu_probing"
"""Another."""
PLAY = """
- hosts: nodes
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: switchyard.fleet.node
        tasks_from: tuning
    - ansible.builtin.copy:
        content: "{{ dict(ansible_play_hosts | zip(said)) | to_json }}"
        dest: "{{ report }}"
        mode: "0600"
      delegate_to: localhost
      connection: local
      check_mode: false
      diff: false
      vars:
        said: "{{ ansible_play_hosts | map('extract', hostvars, '__node_tuning') }}"
      run_once: true
"""
WHOLE = """
- hosts: nodes
  gather_facts: false
  roles:
    - switchyard.fleet.node
"""


class Tuning:
    """The kernels of the lab's nodes, and the part of the role that sets them."""

    def __init__(self, lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.nodes = list(lab.facts["nodes"])
        self.play, self.whole = folder / "tuning.yml", folder / "whole.yml"
        self.play.write_text(PLAY)
        self.whole.write_text(WHOLE)

    def run(self, *arguments: str, **settings: Any) -> dict[str, dict[str, Any]]:
        """Node -> what the task said, with these settings (dots as two underscores)."""
        report = self.folder / "report.json"
        extra = {"node_tuning": named(settings), "report": str(report)}
        self.lab.playbook(self.play, "--diff", *arguments, extra=extra)
        found: dict[str, dict[str, Any]] = json.loads(report.read_text())
        return found

    def refusal(self, *arguments: str, **settings: Any) -> str:
        """What a run that has to fail says, in one line."""
        done = self.lab.playbook(
            self.play, *arguments, extra={"node_tuning": named(settings), "report": "none"}, check=False
        )
        assert done.returncode == 2, done.stdout
        # In YAML, as Ansible shows it, an apostrophe is two.
        return " ".join(done.stdout.split()).replace("''", "'")

    def kernel(self, node: str, key: str) -> str:
        return " ".join(self.lab.ssh(node, "cat", "/proc/sys/" + key.replace(".", "/")).split())

    def set(self, node: str, key: str, value: str) -> None:
        """By hand, as somebody does who logs in."""
        self.lab.ssh(node, f"echo '{value}' > /proc/sys/{key.replace('.', '/')}")

    def file(self, node: str) -> str:
        return str(self.lab.ssh(node, f"cat {FILE} 2>/dev/null || true"))

    def state(self) -> list[tuple[str, ...]]:
        """What the tests here may change, on every node."""
        keys = (WINDOWS, CONGESTION, PROBING)
        return [(self.file(node), *(self.kernel(node, key) for key in keys)) for node in self.nodes]


def named(settings: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("__", "."): value for key, value in settings.items()}


@pytest.fixture
def tuning(installed, tmp_path):
    """Nodes as the role leaves them, before and after."""
    found = Tuning(installed, tmp_path)
    usual = found.state()
    yield found
    if found.state() == usual:
        return
    for node, (_file, _windows, congestion, probing) in zip(found.nodes, usual, strict=True):
        # Too low: the role sets it, and has it in its file again.
        found.set(node, WINDOWS, "4096 16384 4194304")
        found.set(node, CONGESTION, congestion)
        found.set(node, PROBING, probing)
    found.run()
    for node, (_file, windows, *_others) in zip(found.nodes, usual, strict=True):
        found.set(node, WINDOWS, windows)
    assert found.state() == usual


def test_only_what_differs_is_set_shown_before_and_not_set_again(tuning):
    first, second, *_others = tuning.nodes
    usual, file = tuning.kernel(first, WINDOWS), tuning.file(first)
    assert usual == "4096 65536 16777216" and f"{WINDOWS} = {usual}\n" in file
    # Of one node a setting is too low, of another it is higher than it has to be.
    tuning.set(first, WINDOWS, "4096 16384 4194304")
    tuning.set(second, WINDOWS, "4096 65536 33554432")
    before = tuning.state()
    foretold = tuning.run("--check")
    assert tuning.state() == before
    did = tuning.run()
    again = tuning.run()
    assert {node: each["settings"] for node, each in did.items() if each["changed"]} == {first: {WINDOWS: usual}}
    for node in tuning.nodes:
        for part in ("changed", "settings", "refused", "diff"):
            assert foretold[node][part] == did[node][part], (node, part)
        assert not again[node]["changed"]
    (shown,) = did[first]["diff"]
    assert shown["before"] == f"{WINDOWS} = 4096 16384 4194304\n" and shown["after"] == f"{WINDOWS} = {usual}\n"
    assert tuning.kernel(first, WINDOWS) == usual and tuning.file(first) == file
    assert tuning.kernel(second, WINDOWS) == "4096 65536 33554432"
    # What a container cannot set is named, in the file of none.
    assert did[first]["refused"]["vm.swappiness"] == "read-only" and "vm.swappiness" not in file


def test_settings_of_ones_own_come_stay_through_a_restart_and_go(tuning):
    first = tuning.nodes[0]
    own = {"net__ipv4__tcp_congestion_control": "reno", "net__ipv4__tcp_mtu_probing": 1}
    foretold = tuning.run("--check", **own)
    assert "reno" not in tuning.file(first)
    did = tuning.run(**own)
    assert [foretold[node]["diff"] for node in tuning.nodes] == [did[node]["diff"] for node in tuning.nodes]
    assert not any(each["changed"] for each in tuning.run(**own).values())
    lines = {f"{CONGESTION} = reno", f"{PROBING} = 1", f"{WINDOWS} = 4096 65536 16777216"}
    assert lines <= set(tuning.file(first).splitlines())
    with power_cut(tuning, first):
        pass
    assert (tuning.kernel(first, CONGESTION), tuning.kernel(first, PROBING)) == ("reno", "1")
    assert tuning.kernel(first, WINDOWS) == "4096 65536 16777216"
    assert not any(each["changed"] for each in tuning.run(**own).values())
    # No longer wanted: out of the file, and in the kernel until the next start. Empty: not even looked at.
    tuning.set(first, WINDOWS, "4096 16384 4194304")
    gone = tuning.run(net__ipv4__tcp_wmem="")
    assert gone[first]["changed"] and gone[first]["settings"] == {}
    assert "reno" not in tuning.file(first) and WINDOWS not in tuning.file(first)
    assert tuning.kernel(first, CONGESTION) == "reno"
    assert tuning.kernel(first, WINDOWS) == "4096 16384 4194304"


def test_every_wrong_value_is_refused_by_name_on_every_node_and_nothing_is_changed(tuning):
    wrong = {
        "net.ipv4.tcp_wmen": ("1 2 3", "no such setting of this node's kernel"),
        "net.ipv4.tcp_wmem": ("a lot", "accepted: 3 numbers"),
        "vm.swappiness": ("never", "accepted: a number"),
        "kernel.printk_delay": ("7", "cannot be set here"),
    }
    settings = {key.replace(".", "__"): value for key, (value, _trouble) in wrong.items()}
    mistakes = "; ".join(f'{key}: "{value}": {trouble}' for key, (value, trouble) in wrong.items())
    before = tuning.state()
    for arguments in ((), ("--check",)):
        told = tuning.refusal(*arguments, net__ipv4__tcp_mtu_probing=1, **settings)
        for node in tuning.nodes:
            assert f"[{node}]" in told
        assert told.count(f"node_tuning: {mistakes}; nothing was changed") >= len(tuning.nodes), told
    assert tuning.state() == before


def test_what_the_kernel_itself_refuses_takes_back_what_was_set_with_it(tuning):
    """Whether a congestion control is there, or a number too large, only the kernel knows."""
    before = tuning.state()
    told = tuning.refusal(net__ipv4__tcp_mtu_probing=1, net__ipv4__tcp_congestion_control="nosuch")
    assert 'net.ipv4.tcp_congestion_control: "nosuch": the kernel says:' in told
    assert tuning.state() == before


def test_the_role_leaves_the_kernel_alone_where_it_is_told_to(tuning):
    first = tuning.nodes[0]
    tuning.set(first, WINDOWS, "4096 16384 4194304")
    tuning.lab.playbook(tuning.whole, extra={"node_tune": False})
    assert tuning.kernel(first, WINDOWS) == "4096 16384 4194304"
    said = tuning.lab.playbook(tuning.whole, "--check", "--diff").stdout
    assert f"+{WINDOWS} = 4096 65536 16777216" in said
    assert tuning.kernel(first, WINDOWS) == "4096 16384 4194304"
    tuning.lab.playbook(tuning.whole)
    assert tuning.kernel(first, WINDOWS) == "4096 65536 16777216"
