# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's user: what differs is changed, in an order that works, and nothing of anybody else's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.access import (
    UNKEPT,
    Found,
    Wanted,
    differences,
    read,
    token_state,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.privileges import places, role

WANTED = Wanted("Engine", role(9), "sy@pve", "fleet", places())


def found(**changes: Any) -> Found:
    grants = [
        {"path": place.path, "type": "user", "ugid": "sy@pve", "roleid": "Engine", "propagate": int(place.propagate)}
        for place in places()
    ]
    whole = {
        "roles": [{"roleid": "Engine", "privs": ",".join(role(9))}],
        "users": [{"userid": "sy@pve", "enable": 1, "expire": 0}],
        "acl": grants,
        "tokens": [{"tokenid": "fleet", "privsep": 0}],
    }
    return read(**{**whole, **changes})


def told(**changes: Any) -> list[tuple[str, str]]:
    return [(each.method, each.path) for each in differences(WANTED, found(**changes))]


def test_in_order_is_nothing_to_do() -> None:
    assert told() == []


def test_from_nothing_the_role_comes_before_the_user_and_both_before_the_grants() -> None:
    requests = told(roles=[], users=[], acl=[], tokens=[])
    assert requests[:2] == [("POST", "/access/roles"), ("POST", "/access/users")]
    assert requests[2:] == [("PUT", "/access/acl")] * len(places())


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": [{"roleid": "Engine", "privs": "VM.Audit"}]},
        {"users": [{"userid": "sy@pve", "enable": 0}]},
        {"users": [{"userid": "sy@pve", "enable": 1, "expire": 1700000000}]},
    ],
)
def test_what_somebody_changed_is_changed_back(changes: dict[str, Any]) -> None:
    assert len(told(**changes)) == 1


def test_a_grant_that_reaches_too_far_is_made_anew_and_one_too_many_taken_away() -> None:
    grants = [dict(each) for each in found().grants]
    root = next(each for each in grants if each["path"] == "/")
    root["propagate"] = 1
    grants.append({**root, "path": "/access", "propagate": 1})
    grants.append({**root, "path": "/access", "ugid": "other@pve"})
    bodies = [dict(each.body) for each in differences(WANTED, found(acl=grants))]
    assert bodies == [
        {"path": "/", "users": "sy@pve", "roles": "Engine", "propagate": 0},
        {"path": "/access", "users": "sy@pve", "roles": "Engine", "delete": 1},
    ]


def test_a_token_somebody_may_use_is_made_anew_only_when_asked() -> None:
    assert token_state(WANTED, found(tokens=[]), renew=False) == "make"
    assert token_state(WANTED, found(), renew=False) == "refuse"
    assert token_state(WANTED, found(), renew=True) == "remake"
    assert token_state(WANTED, found(tokens=[{"tokenid": "fleet", "comment": UNKEPT}]), renew=False) == "remake"


def test_versions_ask_for_what_they_know() -> None:
    assert "VM.Replicate" in role(9) and "VM.Replicate" not in role(8)
    assert "Datastore.Allocate" in role(8) and "Datastore.Allocate" not in role(9)
    narrow = [place.path for place in places(["tank"], ["vmbr1"])]
    assert "/storage/tank" in narrow and "/sdn/zones/localnetwork/vmbr1" in narrow and "/storage" not in narrow
