# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double answers what a real three-node cluster answered, and how much of it is never less than now."""

from __future__ import annotations

import pytest
from replay import FILES, Replay

# Exchanges that replay equal. What is missing: polls of a task that was quicker or slower (the recorded nodes shared
# two busy cores), and what the recordings themselves say not to trust (no savevm in stock QEMU, no AppArmor).
FLOOR = {
    "01-auth": 111,
    "02-observe": 76,
    "03-lxc": 332,
    "04-qemu": 202,
    "05-migrate": 169,
    "05b-migrate-ha-and-locks": 79,
    "06-replication": 108,
    "07-ha": 273,
    "08-node-down": 139,
    "09-quorum-loss": 93,
    "10-concurrency": 200,
    "10b-concurrency-qemu": 97,
    "11-pools": 106,
    "12-tasks-and-rest": 105,
    "13-warnings-and-half-applied": 40,
    "14-rights-and-storage-supplement": 56,
    "15-ha-disarm": 25,
}


@pytest.mark.skipif(not FILES, reason="the recordings are not here")
@pytest.mark.parametrize("file", FILES or ["none"])
def test_a_recording_replays_equal_as_far_as_before(file: str) -> None:
    verdicts = list(Replay(file).verdicts())
    equal = sum(not verdict.why for verdict in verdicts)
    wrong = [f"{v.number} {v.row['step']}: {v.why}" for v in verdicts if v.why and not v.why.startswith("task ")]
    assert equal >= FLOOR[file], "\n".join([f"{equal} of {len(verdicts)}, before {FLOOR[file]}", *wrong])


@pytest.mark.skipif(not FILES, reason="the recordings are not here")
def test_a_double_that_accepted_everything_would_be_found_out() -> None:
    """The comparison itself: it must see a status, a reason, an error and a key that are not as recorded."""
    from double import Answer
    from replay import rows_of, shapes
    from shape import differences, same_text

    row = next(row for row in rows_of("03-lxc") if row["step"] == "create: wrong type")
    assert not differences(row, row["body"], shapes())
    assert differences(row, {**row["body"], "errors": {"memory": "no"}}, shapes())
    assert not same_text(row["reason"], "Bad Request")
    listed = next(row for row in rows_of("02-observe") if row["step"] == "lxc")
    short = [{key: value for key, value in guest.items() if key != "vmid"} for guest in listed["body"]["data"]]
    assert differences(listed, {"data": short}, shapes())
    assert Replay("03-lxc")._compare(row, Answer(200, "OK", {"data": None})).startswith("status")
