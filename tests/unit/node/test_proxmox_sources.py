# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository chosen is offered once, and what the ISO brings along no longer stops apt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.node.proxmox_sources import FILE, Repository, rewritten

WANTED = Repository("no-subscription", "http://download.proxmox.com/debian/pve", "trixie", "/usr/share/keyrings/p.gpg")
DEBIAN = "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main enterprise\n"
ENTERPRISE = """Types: deb
URIs: https://enterprise.proxmox.com/debian/pve
Suites: trixie
Components: pve-enterprise
Signed-By: /usr/share/keyrings/proxmox-archive-keyring.gpg
"""


def test_a_fresh_debian_gets_one_file_and_keeps_its_own() -> None:
    changed = rewritten({"debian.sources": DEBIAN}, WANTED, "note")
    assert list(changed) == [FILE]
    assert changed[FILE].splitlines()[1:] == [
        "Types: deb",
        "URIs: http://download.proxmox.com/debian/pve",
        "Suites: trixie",
        "Components: pve-no-subscription",
        "Signed-By: /usr/share/keyrings/p.gpg",
    ]
    assert rewritten({"debian.sources": DEBIAN, **changed}, WANTED, "note") == {}


def test_what_the_iso_brings_is_switched_off_once() -> None:
    files = {
        "pve-enterprise.sources": ENTERPRISE,
        "ceph.sources": ENTERPRISE.replace("/pve", "/ceph-squid").replace("pve-enterprise", "enterprise"),
        "old.list": "# before\ndeb https://enterprise.proxmox.com/debian/pve bookworm pve-enterprise\n",
    }
    changed = rewritten(files, WANTED, "note")
    assert set(changed) == {*files, FILE}
    assert changed["pve-enterprise.sources"] == ENTERPRISE + "Enabled: no\n"
    assert changed["ceph.sources"].endswith("Enabled: no\n")
    assert changed["old.list"].splitlines()[1].startswith("# deb https://enterprise")
    assert rewritten({**files, **changed}, WANTED, "note") == {}


def test_of_several_stanzas_only_the_one_goes() -> None:
    text = f"{DEBIAN}\n{ENTERPRISE}Enabled: yes\n\n{DEBIAN}"
    new = rewritten({"all.sources": text}, WANTED, "note")["all.sources"]
    assert new == f"{DEBIAN}\n{ENTERPRISE}Enabled: no\n\n{DEBIAN}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.list", "deb http://download.proxmox.com/debian/pve trixie pve-no-subscription\n"),
        ("mine.sources", WANTED.stanza("by hand").replace("debian/pve", "debian/pve/")),
    ],
)
def test_whoever_wrote_it_down_already_has_it_once(name: str, text: str) -> None:
    assert rewritten({name: text}, WANTED, "note") == {}


def test_the_other_choice_replaces_the_first() -> None:
    files = rewritten({"pve-enterprise.sources": ENTERPRISE}, WANTED, "note")
    other = replace(WANTED, choice="enterprise", uri="https://enterprise.proxmox.com/debian/pve")
    changed = rewritten(files, other, "note")
    assert "pve-enterprise" in changed[FILE] and "no-subscription" not in changed[FILE]
    assert rewritten({**files, **changed}, other, "note") == {}
