# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incus' notations for amounts."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import units
from hypothesis import given
from hypothesis import strategies as some


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512MiB", 512),
        ("1GiB", 1024),
        ("1GB", 954),
        ("2TiB", 2097152),
        ("1048576", 1),
        ("1048577", 2),
        ("500kB", 1),
        ("25%", 2048),
        (" 64MiB ", 64),
        ("", 0),
        ("lots", 0),
        ("12parsecs", 0),
    ],
)
def test_memory_and_disk(text: str, amount: int) -> None:
    assert units.mib(text, 8192) == amount


@pytest.mark.parametrize(
    ("cpu", "allowance", "cores"),
    [
        ("", "", 0),
        ("4", "", 4),
        ("0-3", "", 4),
        ("0-1,6", "", 3),
        ("1,3", "", 2),
        ("3-3", "", 1),
        ("1", "50ms/100ms", 0.5),
        ("2", "150ms/100ms", 1.5),
        ("", "25ms/100ms", 0.25),
        ("2", "50%", 2),
        ("", "50%", 0),
        ("nonsense", "x/y", 0),
    ],
)
def test_cores(cpu: str, allowance: str, cores: float) -> None:
    assert units.cores(cpu, allowance) == cores


@given(some.integers(min_value=1, max_value=12800))
def test_hundredths_of_cores_survive_the_way_there_and_back(hundredths: int) -> None:
    limits = units.cpu_limits(hundredths / 100)
    assert units.cores(limits["limits.cpu"], limits["limits.cpu.allowance"]) == hundredths / 100


@given(some.integers(min_value=1, max_value=10**9))
def test_mib_survive_the_way_there_and_back(amount: int) -> None:
    assert units.mib(units.mib_text(amount)) == amount
