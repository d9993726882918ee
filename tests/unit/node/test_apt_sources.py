# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt's sources are read in both formats, as people and installers write them."""

from __future__ import annotations

from ansible_collections.switchyard.fleet.plugins.module_utils.node.apt_sources import (
    Source,
    mirror_of,
    offers,
    read_deb822,
    read_list,
)

DEB822 = """\
# made by the installer
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Enabled: no

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://other.example/
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
"""


def test_one_line_sources():
    text = """
# deb http://commented.example bookworm main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # as installed
deb http://mirror.example/debian bookworm-updates main
"""
    assert list(read_list(text)) == [
        Source("http://mirror.example/debian", ("bookworm",), ("main", "contrib"), "/k.gpg"),
        Source("http://mirror.example/debian", ("bookworm-updates",), ("main",)),
    ]


def test_stanzas_that_are_off_or_for_sources_offer_nothing():
    found = list(read_deb822(DEB822))
    assert [source.uri for source in found] == ["http://mirror.example/debian", "http://other.example/"]
    assert offers(found, "bookworm-updates")
    assert not offers(found, "bookworm-backports")


def test_a_key_in_a_file_is_kept_and_one_written_out_is_not():
    assert [source.signed_by for source in read_deb822(DEB822)] == [
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "",
    ]


def test_the_mirror_is_the_one_that_offers_the_release():
    found = list(read_deb822(DEB822))
    assert mirror_of(found, "bookworm") == found[0]
    assert mirror_of(found, "trixie") is None
    assert mirror_of([], "bookworm") is None
