# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template is made of: the keys of ``fleet_templates``."""

from __future__ import annotations

import re
from typing import Any, Final

from ..kinds import Field, ListOf, Record, Scalar, Table
from ..quantity import Unacceptable
from ..scalars import PATH, choice, named, plain_text, text

_BUILT: Final[tuple[str, ...]] = ("packages", "components", "release", "base", "files", "first_boot")
"""Keys that only a Debian takes."""
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MOST: Final = 1024 * 1024
"""Characters of a file that is written in the inventory itself."""


def _version(value: Any) -> str:
    if isinstance(value, float):
        raise Unacceptable("a number with a fraction, which does not keep its zeros (put it in quotes)")
    written = str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else plain_text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", written):
        raise Unacceptable("not a version")
    return written


def _lines(value: Any) -> str:
    if not isinstance(value, str):
        raise Unacceptable("no value (an empty field?)" if value is None else "not text (put it in quotes)")
    if len(value) > _MOST or "\0" in value:
        raise Unacceptable("more than 1 MiB (name a file in src)" if len(value) > _MOST else "has a zero byte")
    return str(value)


def _mode(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"0?[0-7]{3,4}", value):
        raise Unacceptable("not a mode in quotes, without which YAML reads another number")
    return value.zfill(4)


def _path(value: Any) -> str:
    written = plain_text(value)
    if not re.fullmatch(r"(?:/(?!\.{1,2}(?:/|$))[^/]+)+", written):
        raise Unacceptable("not an absolute path")
    return written


def _content(read: dict[str, Any]) -> dict[str, Any]:
    if ("content" in read) == ("src" in read):
        raise Unacceptable(
            f"has {'both content and src' if 'src' in read else 'neither content nor src'}", "one of them"
        )
    return read


def _template(read: dict[str, Any]) -> dict[str, Any]:
    """One template; what it takes is a matter of how it is made."""
    given = [key for key in _BUILT if key in read]
    if "from" in read:
        given += [key for key in ("build", "clone") if key in read]
        if given:
            raise Unacceptable(f"taken from a server, and so not built: no {', '.join(given)}", "from and version")
    elif read.get("build") == "busybox" and given:
        raise Unacceptable(f"build busybox takes no {', '.join(given)}", "build debian, or no such keys")
    elif "base" in read and "release" in read:
        raise Unacceptable("base and release: its release is that of its base", "one of them")
    paths = [each["path"] for each in read.get("files", ())]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise Unacceptable(f"files has {', '.join(twice)} twice")
    return read


_TEXT: Final = Scalar("text", "text of any number of lines", _lines)
_OWNER: Final = text("the name or number of a user or group", pattern=r"[a-z0-9_][a-z0-9_-]*", most=32, label="name")
_FILE: Final = Record(
    "file",
    {
        "path": Field(Scalar("path", "an absolute path", _path), "where it is in the server", required=True),
        "content": Field(_TEXT, "its text"),
        "src": Field(PATH, "instead of `content`: a file on the controller; relative to the inventory's directory"),
        "mode": Field(Scalar("mode", 'an octal mode in quotes: "0640"', _mode), 'mode; default `"0644"`'),
        "owner": Field(_OWNER, "owner; default `root`"),
        "group": Field(_OWNER, "group; default `root`"),
    },
    make=_content,
)
_SCRIPT: Final = Record(
    "script",
    {
        "content": Field(_TEXT, "the script, its first line `#!/bin/sh` or the like"),
        "src": Field(PATH, "instead of `content`: a file on the controller; relative to the inventory's directory"),
    },
    make=_content,
    shorthand="content",
)
_PACKAGE: Final = text("the name of a Debian package", pattern=r"[a-z0-9][a-z0-9+.-]+", most=128, label="name")

TEMPLATES: Final = Table(
    "templates",
    Record(
        "template",
        {
            "kind": Field(choice("container", "vm"), "what is made from it; default `container`"),
            "version": Field(
                Scalar("version", "a version: letters, digits and . _ -", _version),
                "changes whenever the content does; default `1`",
            ),
            "clone": Field(
                choice("full", "linked"),
                "Proxmox VE: whether a server made of a guest that is a template has a disk of its own, or shares the "
                "template's; default: `linked` on storage all nodes reach, else `full`, as only that can move",
            ),
            "build": Field(choice("busybox", "debian"), "how it is built; default `debian`"),
            "packages": Field(ListOf(_PACKAGE), "Debian packages it holds besides the base"),
            "components": Field(
                ListOf(text("a component of the archive", pattern=r"[a-z][a-z-]*", most=32, label="name")),
                "components of the archive it may take packages from; default: those the node takes",
            ),
            "release": Field(
                text("a release's code name", pattern=r"[a-z]+", most=32, label="name"),
                "Debian release it is built from; default: the node's own",
            ),
            "base": Field(
                text("the name of another template", pattern=_NAME.pattern, most=63, label="name"),
                "Incus: template it is built on, instead of from nothing; one with `build: debian`",
            ),
            "files": Field(ListOf(_FILE), "Incus: files put into it after its packages"),
            "first_boot": Field(
                _SCRIPT, "Incus: script each server runs as root at its first start, before network and services"
            ),
            "from": Field(
                named("a server", empty=False),
                "Incus: instead of `build`: server it is taken from, as that is when this version is first asked for",
            ),
        },
        make=_template,
        may_be_empty=True,
    ),
    pattern=_NAME,
    names="1 to 63 lower-case letters, digits and dashes",
)
