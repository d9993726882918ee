# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where this machine's own apt gets its distribution from, as JSON on standard output.

Reads one-line (``.list``) and deb822 (``.sources``) files. Kept are only the distribution's own
suites (release, updates, security, backports) with the component ``main``; a vendor's repository
that happens to use the release's code name is recognised by its own keyring and left out.

Keys of the answer: ``distribution`` and ``release`` (from os-release), ``sources`` (one-line
entries), ``keyrings`` (files the entries are signed by), ``backports`` (whether a backports suite is
among them) and ``options`` (lines of apt configuration a node needs to use the same mirrors).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

POCKETS = ("", "-updates", "-security", "-backports")
KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
OPTIONS = re.compile(
    r"^Acquire::(Check-Valid-Until|Check-Date|AllowInsecureRepositories|https?::(Proxy|Verify-Peer|CAInfo)\b.*) ",
)


class SourcesError(Exception):
    """The machine's apt sources cannot be used; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One repository as apt sees it: a URI, a suite, its components and the key it is signed by."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False


def one_line(text: str) -> Iterator[Entry]:
    """Entries of a ``.list`` file."""
    for line in text.splitlines():
        found = re.match(
            r"^\s*deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<rest>[^#]*)", line
        )
        if found:
            options = dict(pair.split("=", 1) for pair in (found["options"] or "").split() if "=" in pair)
            yield Entry(
                found["uri"],
                found["suite"],
                tuple(found["rest"].split()),
                options.get("signed-by", ""),
                options.get("trusted", "no") == "yes",
            )


def deb822(text: str) -> Iterator[Entry]:
    """Entries of a ``.sources`` file."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line[:1] in (" ", "\t") and key:
                fields[key] += "\n" + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields.get("enabled", "yes").lower() == "no" or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Entry(
                    uri,
                    suite,
                    tuple(fields.get("components", "").split()),
                    fields.get("signed-by", ""),
                    fields.get("trusted", "no").lower() == "yes",
                )


def resolve(uri: str) -> str:
    """Turn ``mirror+file:`` (cloud images) into the first mirror that file names."""
    if not uri.startswith("mirror+file:"):
        return uri
    listing = Path(re.sub(r"^mirror\+file:/*", "/", uri))
    for line in listing.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            return line.split()[0]
    raise SourcesError(f"{listing} names no mirror")


def own(entry: Entry, release: str) -> bool:
    """Whether an entry is the distribution's own and not a vendor's."""
    suites = {release + pocket for pocket in POCKETS}
    keys = entry.signed_by.split()
    foreign = "BEGIN PGP" in entry.signed_by or any(
        key.startswith("/") and not Path(key).name.startswith(("debian-archive", "ubuntu-archive")) for key in keys
    )
    return entry.suite.rstrip("/") in suites and "main" in entry.components and not foreign


@dataclass
class Machine:
    """This machine's distribution and release, and the entries its nodes shall use."""

    distribution: str
    release: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def backports(self) -> bool:
        return any(entry.suite.endswith("-backports") for entry in self.entries)

    def main_entry(self) -> Entry:
        for entry in self.entries:
            if entry.suite == self.release:
                return entry
        raise SourcesError(f"no apt source of this machine carries the suite {self.release} with component main")


def read_machine(root: Path) -> Machine:
    """Read os-release and every apt source below ``root``."""
    pairs = (
        line.split("=", 1) for line in (root / "etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    facts = {key: value.strip().strip('"') for key, value in pairs}
    machine = Machine(facts.get("ID", ""), facts.get("VERSION_CODENAME", ""))
    if not machine.release:
        raise SourcesError("/etc/os-release names no VERSION_CODENAME")
    parts = root / "etc/apt/sources.list.d"
    files = [root / "etc/apt/sources.list", *sorted([*parts.glob("*.list"), *parts.glob("*.sources")])]
    for path in files:
        if path.is_file():
            parse = deb822 if path.suffix == ".sources" else one_line
            machine.entries += [e for e in parse(path.read_text(encoding="utf-8")) if own(e, machine.release)]
    return machine


def with_backports(machine: Machine) -> list[Entry]:
    """The machine's entries, and Debian 12's backports from the same mirror where they are missing."""
    entries = list(machine.entries)
    if machine.release == "bookworm" and not machine.backports:
        main = machine.main_entry()
        entries.append(Entry(main.uri, "bookworm-backports", ("main",), main.signed_by, main.trusted))
    return entries


def render(entry: Entry, keyring: str) -> str:
    """One line for a node's sources.list."""
    options = f"signed-by={keyring}" if keyring else ""
    if entry.trusted:
        options += " trusted=yes"
    options = f"[{options.strip()}] " if options.strip() else ""
    return f"deb {options}{resolve(entry.uri)} {entry.suite} {' '.join(entry.components)}"


def options_of_apt() -> list[str]:
    """Settings (proxy, validity of mirrors) the nodes need to use the same mirrors as this machine."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return [line for line in dump.splitlines() if OPTIONS.match(line)]


def main() -> int:
    """Print the answer, or one line of error."""
    try:
        machine = read_machine(Path("/"))
        main_entry = machine.main_entry()
        entries = with_backports(machine)
        keyring = next((e.signed_by.split()[0] for e in machine.entries if e.signed_by.startswith("/")), "")
        keyring = keyring or KEYRINGS.get(machine.distribution, "")
        keyring = keyring if Path(keyring).is_file() else ""
        signed = f"[signed-by={keyring}] " if keyring else ""
        answer = {
            "distribution": machine.distribution,
            "release": machine.release,
            "mirror": resolve(main_entry.uri),
            "mirror_uri": main_entry.uri,
            "sources": sorted({render(entry, keyring) for entry in entries}),
            "keyring": keyring,
            "backports": machine.backports,
            "backports_source": f"deb {signed}{main_entry.uri} {machine.release}-backports main",
            "options": options_of_apt(),
        }
    except (SourcesError, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
