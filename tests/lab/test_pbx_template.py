# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PBX made from the lab's own template: its SIP server answers, phones register with their password, and stay
registered through the loss of its power."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

REGISTER = Path(__file__).with_name("sip") / "register.xml"
ONE = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - switchyard.fleet.virtual_server: "{{ options }}"
      register: came
    - ansible.builtin.copy:
        content: "{{ came | to_json }}"
        dest: "{{ report }}"
        mode: "0600"
"""
NAME = "trial-pbx"


class Pbx:
    """The server, and a phone beside it."""

    def __init__(self, lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.node = self.address = ""
        (folder / "one.yml").write_text(ONE)

    def task(self, **options):
        report = self.folder / "report.json"
        self.lab.playbook(self.folder / "one.yml", extra={"options": {"name": NAME, **options}, "report": str(report)})
        came = json.loads(report.read_text())
        return came["server"]

    def inside(self, command: str) -> str:
        return self.lab.ssh(self.node, f"incus exec {NAME} -- {command} < /dev/null").strip()

    def sipp(self, *arguments: str) -> int:
        """Exit status of one call; 0 if everything came as the scenario expects it."""
        words = ["sipp", self.address, "-m", "1", "-nostdin", "-timeout", "20", "-timeout_error", *arguments]
        return subprocess.run(words, cwd=self.folder, capture_output=True, check=False, timeout=60).returncode

    def registered(self) -> str:
        """Where phone 100 is, as the PBX knows it; empty: nowhere."""
        said = self.lab.ssh(self.node, f"incus exec {NAME} -- kamcmd ul.lookup location s:100 < /dev/null", check=False)
        return next((line.split()[1] for line in said.splitlines() if "Address:" in line), "")

    def eventually(self, holds, seconds: float = 40.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.5)


@pytest.fixture
def pbx(installed, tmp_path):
    if not shutil.which("sipp"):
        pytest.skip("needs sipp (Debian: sip-tester)")
    installed.playbook("templates")
    found = Pbx(installed, tmp_path)
    try:
        # `started` waits until it answers OPTIONS.
        made = found.task(
            state="started",
            template="pbx",
            class_name="sip_router",
            network="lan",
            checks=[{"type": "sip", "port": 5060, "timeout": "60s"}],
        )
        found.node, [found.address] = made["node"], made["addresses"]
        yield found
    finally:
        found.task(state="absent", force=True)


def test_a_phone_registers_with_its_password_and_stays_registered(pbx):
    password = pbx.inside("cat /root/phone-100")
    phone = ["-sf", str(REGISTER), "-s", "100", "-au", "100"]
    assert pbx.sipp(*phone, "-ap", "not-its-password") != 0
    assert pbx.registered() == ""
    # Nobody registers as somebody else.
    assert pbx.sipp("-sf", str(REGISTER), "-s", "101", "-au", "100", "-ap", password) != 0
    assert pbx.sipp(*phone, "-ap", password) == 0
    where = pbx.registered()
    assert where.startswith("sip:100@")
    pbx.lab.ssh(pbx.node, f"incus restart --force {NAME}")
    pbx.eventually(lambda: pbx.registered() == where)
    assert pbx.inside("cat /root/phone-100") == password
    assert pbx.sipp(*phone, "-ap", password) == 0
    assert pbx.inside("systemctl is-system-running --wait") == "running"
