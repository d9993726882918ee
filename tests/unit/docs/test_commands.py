# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the pages is typed by a test, or it is said why not; every page is on the site."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from ...support.documents import NOT_TYPED, TOUR, TYPED, told
from ...support.playbooks import ROOT

PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def test_every_command_is_typed_by_somebody() -> None:
    nobody = [
        f"{page}: {each.text}"
        for page in PAGES
        if page not in TYPED
        for each in told(page)
        if not each.path and each.text not in NOT_TYPED
    ]
    assert nobody == [], "name their page in TYPED (tests/support/documents.py), with the test that types it"


def test_the_tables_say_what_is_so() -> None:
    for page, test in TYPED.items():
        assert list(told(page)), f"nothing to type on {page}"
        assert (ROOT / test).is_file(), test
        # It types the page as a whole, by its name or as one of the tour.
        text = (ROOT / test).read_text(encoding="utf-8")
        assert page in text or (page in TOUR and "TOUR" in text), f"{test} does not read {page}"
    everything = {each.text for page in PAGES for each in told(page)}
    assert NOT_TYPED.keys() <= everything, "nobody is told that any more"


def test_every_page_is_on_the_site() -> None:
    entries = re.findall(r"^[\w*/-]+$", (ROOT / "docs/index.md").read_text(encoding="utf-8"), re.MULTILINE)
    pages = {page.removeprefix("docs/").removesuffix(".md") for page in PAGES} - {"README", "index"}
    lost = sorted(page for page in pages if not any(fnmatch(page, entry) for entry in entries))
    assert lost == [], "name them in docs/index.md"


def test_the_tutorial_goes_the_way_the_demo_suggests() -> None:
    demo = (ROOT / "tests/tools/demo.sh").read_text(encoding="utf-8")
    suggested = re.findall(
        r"^  (?:\$\{as_root\})?(\. \.venv\S+|ansible-playbook .+?|make .+?)(?: {2,}#.*)?$", demo, re.MULTILINE
    )
    assert len(suggested) >= 10
    typed = iter(each.text for each in told("docs/tutorial.md"))
    for command in suggested:
        assert command in typed, f"{command}: the tutorial does not have it, or not in this order"


def test_whatever_a_page_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    places = (
        "playbooks/{}.yml",
        "plugins/modules/{}.py",
        "plugins/inventory/{}.py",
        "plugins/filter/{}.py",
        "roles/{}",
    )
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in set(re.findall(r"\bswitchyard\.fleet\.([a-z_]+)\b", text)):
            assert any((ROOT / place.format(name)).exists() for place in places), f"{page}: switchyard.fleet.{name}"
        for target in re.findall(r"`make ([a-z-]+)", text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"
