# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard-agent`` on a test's machine: the agent itself, with more patience for a busy machine."""

from __future__ import annotations

import sys

sys.path.insert(0, "/run/tools/switchyard-agent.pyz")

from switchyard.agent import cib
from switchyard.agent.__main__ import main

cib._PATIENCE = 80.0

if __name__ == "__main__":
    sys.exit(main())
