# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading apt's sources, in both of their formats: which suites are offered, and from which mirror.

Pure text in, values out; the files are read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One mirror's offer of binary packages."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def read_list(text: str) -> Iterator[Source]:
    """The one-line format: ``deb [signed-by=/key] URI suite component…``."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
            yield Source(match[2], (match[3],), tuple(match[4].split()), options.get("signed-by", ""))


def read_deb822(text: str) -> Iterator[Source]:
    """The stanza format of ``.sources`` files. A key written out in the file itself is passed over."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        signed_by = fields.get("signed-by", "").strip()
        for uri in fields.get("uris", "").split():
            yield Source(
                uri,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                signed_by if signed_by.startswith("/") else "",
            )


def offers(sources: Iterable[Source], suite: str) -> bool:
    """Whether any source already offers this suite."""
    return any(suite in source.suites for source in sources)


def mirror_of(sources: Iterable[Source], suite: str) -> Source | None:
    """The mirror of the distribution itself: the first that offers ``suite`` with component main."""
    return next((source for source in sources if suite in source.suites and "main" in source.components), None)
