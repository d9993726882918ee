# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts, durations and numbers, as people write them."""

from __future__ import annotations

import math

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.quantity import (
    Unacceptable,
    mebibytes,
    number,
    seconds,
    whole,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("written", "mib"),
    [
        (512, 512),
        ("512", 512),
        (512.0, 512),
        ("512MiB", 512),
        ("512 MiB", 512),
        ("512M", 512),
        ("2GiB", 2048),
        ("2 gib", 2048),
        ("2G", 2048),
        ("1.5GiB", 1536),
        ("0.25G", 256),
        ("1TiB", 1024**2),
        ("1T", 1024**2),
        (" 4GiB ", 4096),
    ],
)
def test_an_amount_is_mib_or_has_a_binary_unit(written, mib):
    assert mebibytes(written) == mib


@pytest.mark.parametrize(
    "written",
    ["", "12 potatoes", "GiB", "1.1GiB", "512.5", 0.5, None, True, [], {}, "1 2GiB", "1e3", "0x10", "٣GiB", "1GiBs"],
)
def test_what_is_no_amount_is_refused(written):
    with pytest.raises(Unacceptable):
        mebibytes(written)


def test_decimal_units_are_refused_because_people_mean_either():
    with pytest.raises(Unacceptable, match="ambiguous"):
        mebibytes("2GB")


@pytest.mark.parametrize(
    ("written", "length"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("5min", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("2d", 172800),
        (0, 0),
    ],
)
def test_a_duration_is_seconds_or_has_units(written, length):
    assert seconds(written) == length


@pytest.mark.parametrize("written", ["", "soon", "5 parsecs", "m", "5m5", None, False, math.nan, math.inf, "1:30", []])
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(Unacceptable):
        seconds(written)


def test_a_truth_value_is_not_a_number_although_python_thinks_so():
    with pytest.raises(Unacceptable, match="truth value"):
        whole(True)


def test_a_whole_number_may_be_text_as_in_an_ini_inventory():
    assert (whole("4"), whole(" 4 "), whole(4.0), whole("-3")) == (4, 4, 4, -3)


@pytest.mark.parametrize("written", ["4.5", 4.5, "four", "4" * 30, math.nan, b"4"])
def test_what_is_not_whole_is_refused(written):
    with pytest.raises(Unacceptable):
        whole(written)


def test_a_fraction_is_exact():
    assert number("0.1") * 10 == 1


@settings(deadline=None)
@given(st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none(), st.booleans(), st.lists(st.none())))
def test_nothing_but_unacceptable_is_ever_raised(value):
    for read in (mebibytes, seconds, number, whole):
        try:
            read(value)
        except Unacceptable as no:
            assert no.problem
