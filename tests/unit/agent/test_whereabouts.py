# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node has the server of a replica: when one answer is enough, and when all nodes have to be asked."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.whereabouts import Server, undisturbed
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found


def copy(generation=1, *, status="Running", started="2026-01-01T00:00:00.123456789Z", **marks):
    config = {"generation": str(generation), **marks}
    raw = {"status": status, "last_used_at": started}
    return Found({**raw, "config": {f"user.switchyard.{key}": text for key, text in config.items()}}, "")


REFRESHED = 1_767_225_700.0
"""A minute and a half after the server was started."""


def replica(**marks):
    kept = {"role": "replica", "replica.source": "node1", "replica.refreshed": str(REFRESHED)}
    return copy(status="Stopped", **{**kept, **{key.replace("_", "."): text for key, text in marks.items()}})


def test_a_moment_is_read_in_any_zone():
    assert copy(started="2026-01-01T01:00:00.5+01:00").started == copy(started="2026-01-01T00:00:00Z").started
    assert copy(started="1970-01-01T00:00:00Z").started == copy(started="0001-01-01T00:00:00Z").started == 0
    assert copy(started="").started == 0


def test_a_server_that_ran_on_since_the_last_refresh_is_the_one():
    assert undisturbed(replica(), Server("node1", copy()))


@pytest.mark.parametrize(
    ("kept", "server"),
    [
        (replica(), Server("node2", copy())),
        (replica(), Server("node1", copy(2))),
        (replica(), Server("node1", copy(status="Stopped"))),
        (replica(), Server("node1", copy(started="2026-01-01T00:03:00Z"))),
        (replica(), Server("node1", copy(started="1970-01-01T00:00:00Z"))),
        (replica(replica_failures="1"), Server("node1", copy())),
        (replica(replica_refreshed=""), Server("node1", copy())),
    ],
    ids=["elsewhere", "promoted", "stopped", "started since", "never started", "not found before", "never refreshed"],
)
def test_in_any_other_case_all_are_asked(kept, server):
    assert not undisturbed(kept, server)
