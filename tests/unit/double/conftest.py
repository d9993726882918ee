# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double is a package beside the tests, and so are the modules that replay the recordings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parents[1]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from double import Double  # noqa: E402


@pytest.fixture
def double() -> Iterator[Double]:
    """Three nodes of version 9.1; time stands still but for what answers need."""
    with Double(nodes=3, manual=1_800_000_000.0, latency=1.0, listen=False) as here:
        yield here
