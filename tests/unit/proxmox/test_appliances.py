# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which archives are fetched, and from where."""

from __future__ import annotations

from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.appliances import (
    Download,
    fetched,
    missing,
    mistakes,
    newest,
)

OFFERS = [
    {"template": name}
    for name in (
        "debian-13-standard_13.1-2_amd64.tar.zst",
        "debian-13-standard_13.10-1_amd64.tar.zst",
        "debian-12-standard_12.12-1_amd64.tar.zst",
    )
]
SUM = f"sha256:{'0a' * 32}"


def test_a_name_stands_for_its_newest_version_and_a_file_for_itself() -> None:
    wanted = ["debian-13-standard", "debian-13-standard_13.1-2_amd64.tar.zst", "debian-13", "nonsuch"]
    assert newest(wanted, OFFERS) == (
        ["debian-13-standard_13.10-1_amd64.tar.zst", "debian-13-standard_13.1-2_amd64.tar.zst"],
        ["debian-13", "nonsuch"],
    )


def test_only_what_is_not_there_is_fetched_once() -> None:
    there = [{"volid": "local:vztmpl/a_1_amd64.tar.zst"}]
    assert missing(["a_1_amd64.tar.zst", "b_1_amd64.tar.zst", "b_1_amd64.tar.zst"], there) == ["b_1_amd64.tar.zst"]


def test_a_download_brings_its_checksum() -> None:
    download = Download("pbx_7_amd64.tar.zst", "https://files.example.net/x", SUM)
    request = fetched("pve1", "local", download.filename, {download.filename: download})
    assert request.path == "/nodes/pve1/storage/local/download-url"
    assert (request.body["checksum"], request.body["checksum-algorithm"]) == ("0a" * 32, "sha256")
    assert fetched("pve1", "local", "x_1_amd64.tar.zst", {}).path == "/nodes/pve1/aplinfo"


def test_a_name_the_engine_would_not_find_and_a_sum_that_is_none() -> None:
    told = mistakes([Download("pbx.tar.zst", "https://x", SUM), Download("pbx_7_amd64.tar.zst", "https://x", "abc")])
    assert "NAME_VERSION_amd64" in told[0] and "sha256" in told[1] and len(told) == 2
