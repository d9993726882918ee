# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that asks for a password gets it on its standard input, which is no terminal."""

from __future__ import annotations

import sys
import time

from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.told import run

ASKS = "import sys; word = sys.stdin.readline(); print(sys.stdin.isatty(), repr(word)); sys.exit(word != 'a b\\n')"


def test_it_reads_a_line_and_sees_no_terminal() -> None:
    assert run([sys.executable, "-c", ASKS], "a b", 60) == (0, "False 'a b\\n'\n")
    assert run([sys.executable, "-c", ASKS], "another", 60)[0] == 1


def test_one_that_does_not_end_is_ended_and_what_it_said_is_kept() -> None:
    began = time.monotonic()
    script = "echo begun; sleep 300 & exec sleep 300"
    assert run(["sh", "-c", script], "", 1) == (-1, "begun\n")
    assert time.monotonic() - began < 60
