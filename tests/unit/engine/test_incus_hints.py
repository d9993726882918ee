# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals Incus 6.0.4 was heard to give, and what to do about them."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.hints import hint, without_secrets


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("Failed creating instance from image: Unable to unpack image, run out of disk space", "full"),
        ("write /var/lib/incus/x: no space left on device", "full"),
        ("Image not provided for instance creation", "template"),
        ("Storage pool not found", "pool"),
        ("Instance 'a' already exists", "name"),
        ("not authorized", "certificate"),
        ("newuidmap failed to write mapping: Operation not permitted", "subuid"),
        (
            "Failed migration on source: Rsync send failed: pbx01: [exit status 11 read unix @x->@: use of closed "
            "network connection] (rsync: [sender] write error: Broken pipe (32)\n)",
            "the storage pool on this node is full",
        ),
    ],
)
def test_a_known_refusal_has_a_hint(text: str, advice: str) -> None:
    assert advice in hint(text)


def test_an_unknown_refusal_has_none() -> None:
    assert hint("The moon is in the wrong phase") == ""


def test_a_token_in_an_error_text_is_not_shown() -> None:
    text = 'Get "https://10.0.0.1:8443/1.0/images/ab/export?secret=f00ba4&project=x": EOF'
    assert without_secrets(text) == 'Get "https://10.0.0.1:8443/1.0/images/ab/export?secret=***&project=x": EOF'
