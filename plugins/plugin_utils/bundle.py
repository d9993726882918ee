# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's agent as one file: the modules it needs, out of this collection's, in a zip that Python runs.

From the same sources come the same bytes, so that a node that has them is seen to have them.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PACKAGE = "switchyard"
"""What the collection's ``module_utils`` is called in there."""
AGENT = "agent"
"""The package whose modules are all in, as commands are loaded by name; of the others what these import."""
_MAIN = f"import sys\n\nfrom {PACKAGE}.{AGENT}.__main__ import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest moment a zip can tell: when files were written is nobody's business there."""
_PLAIN_FILE = 0o100644 << 16


def bundle(module_utils: Path) -> bytes:
    """The agent made of what is in that directory, as it is to be on a node."""
    files = {"__main__.py": _MAIN.encode()}
    for path in needed(module_utils):
        inside = PurePosixPath(PACKAGE, *path.relative_to(module_utils).parts)
        files[str(inside)] = path.read_bytes()
        # Ansible takes directories without one for packages.
        for folder in list(inside.parents)[:-1]:
            files.setdefault(str(folder / "__init__.py"), b"")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _PLAIN_FILE
            # Stored: what zlib makes of the same input may differ from release to release.
            archive.writestr(entry, content)
    return written.getvalue()


def needed(module_utils: Path) -> list[Path]:
    """The agent's modules, and everything of the collection they import, wherever in a file they do."""
    found: set[Path] = set()
    waiting = list((module_utils / AGENT).glob("*.py"))
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            packages = (folder / "__init__.py" for folder in path.parents if module_utils in folder.parents)
            waiting += [*_imported(path), *(package for package in packages if package.is_file())]
    return sorted(found)


def _imported(path: Path) -> Iterator[Path]:
    """Files a module imports relative to itself, as all imports within the collection are."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        # What is imported from a package may be a module of it, or one of its names.
        places = [base, *(base / name.name for name in node.names)]
        files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
        yield from (file for file in files if file.is_file())
