# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pacemaker's configuration as a node reads and changes it: by ``cibadmin``, which every member has."""

from __future__ import annotations

import subprocess

from ..engine.base import EngineError

_PATIENCE = 20.0
_NOTHING_THERE = (6, 105)
"""What cibadmin ends with where an XPath finds nothing: of releases before and after 2.0."""


def query(what: str, *arguments: str) -> str:
    """A part of it, as XML; empty: there is no such part. Raises EngineError where there is no cluster to ask."""
    return _cibadmin(what, "--query", *arguments)


def add(what: str, scope: str, xml: str) -> None:
    """Add to it, or change it, all at once. Raises EngineError where that is not certain."""
    _cibadmin(what, "--modify", "--allow-create", "--scope", scope, "--xml-pipe", given=xml)


def trouble(what: str, words: str) -> EngineError:
    """What to raise when it is not as it has to be."""
    return EngineError("cluster", what, words, "see whether Pacemaker runs on this node")


def _cibadmin(what: str, *arguments: str, given: str = "") -> str:
    try:
        done = subprocess.run(
            ["cibadmin", *arguments], input=given, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise trouble(what, str(error)) from None
    if done.returncode in _NOTHING_THERE and not given:
        return ""
    if done.returncode:
        raise trouble(what, (done.stderr or done.stdout).strip() or f"cibadmin: exit status {done.returncode}")
    return done.stdout
