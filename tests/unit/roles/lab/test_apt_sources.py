# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a machine's apt gets its distribution from, told from files as installers and cloud images write them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[4] / "roles/lab/files/apt_sources.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("apt_sources", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["apt_sources"] = module
    spec.loader.exec_module(module)
    return module


apt_sources = load()


class Root:
    """A machine's /etc, as far as apt is concerned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "etc/apt/sources.list.d").mkdir(parents=True)
        self.release("debian", "bookworm")

    def release(self, distribution: str, codename: str) -> None:
        (self.folder / "etc/os-release").write_text(f'ID={distribution}\nVERSION_CODENAME="{codename}"\n')

    def write(self, name: str, text: str) -> None:
        (self.folder / "etc/apt" / name).write_text(text)

    def lines(self) -> list[str]:
        machine = apt_sources.read_machine(self.folder)
        return [apt_sources.render(entry, "") for entry in apt_sources.with_backports(machine)]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_one_line_sources(root: Root) -> None:
    root.write(
        "sources.list",
        "# deb cdrom:[Debian]/ bookworm main\n"
        "deb http://mirror.example/debian bookworm main contrib # the fast one\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        "http://mirror.example/security bookworm-security main\n",
    )
    assert root.lines() == [
        "deb http://mirror.example/debian bookworm main contrib",
        "deb http://mirror.example/security bookworm-security main",
        "deb http://mirror.example/debian bookworm-backports main",
    ]


def test_deb822_sources_with_an_embedded_comment_and_two_suites(root: Root) -> None:
    root.write(
        "sources.list.d/debian.sources",
        "Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian/\nSuites: bookworm bookworm-backports\n"
        "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n",
    )
    assert root.lines() == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-backports main",
    ]


def test_ubuntu_needs_no_backports_added(root: Root) -> None:
    root.release("ubuntu", "noble")
    root.write(
        "sources.list.d/ubuntu.sources",
        "Types: deb\nURIs: http://mirror.example/ubuntu\nSuites: noble noble-updates\n"
        "Components: main universe restricted multiverse\nSigned-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n",
    )
    assert root.lines() == [
        "deb http://mirror.example/ubuntu noble main universe restricted multiverse",
        "deb http://mirror.example/ubuntu noble-updates main universe restricted multiverse",
    ]


@pytest.mark.parametrize(
    "foreign",
    [
        "deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor.example bookworm main\n",
        "deb http://vendor.example bookworm stable\n",
        "deb http://vendor.example stable main\n",
        "deb http://vendor.example bookworm-pgdg main\n",
    ],
)
def test_a_vendors_repository_is_not_the_distributions(root: Root, foreign: str) -> None:
    root.write("sources.list", "deb http://mirror.example/debian bookworm main\n")
    root.write("sources.list.d/vendor.list", foreign)
    assert "vendor" not in str(root.lines())


def test_a_vendors_key_may_stand_in_the_file_itself(root: Root) -> None:
    root.write("sources.list", "deb http://mirror.example/debian bookworm main\n")
    root.write(
        "sources.list.d/vendor.sources",
        "Types: deb\nURIs: http://vendor.example\nSuites: bookworm\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----\n",
    )
    assert "vendor" not in str(root.lines())


def test_the_mirror_list_of_a_cloud_image_is_followed(root: Root, tmp_path: Path) -> None:
    (tmp_path / "mirrors.list").write_text("# mirrors\nhttps://mirror.example/debian priority:1\n")
    root.write(
        "sources.list.d/debian.sources",
        f"Types: deb\nURIs: mirror+file://{tmp_path}/mirrors.list\nSuites: bookworm\nComponents: main\n",
    )
    assert root.lines()[0] == "deb https://mirror.example/debian bookworm main"


def test_a_machine_without_its_distributions_mirror_is_told_so(root: Root) -> None:
    root.write("sources.list", "deb http://vendor.example stable main\n")
    with pytest.raises(apt_sources.SourcesError, match="bookworm with component main"):
        root.lines()
