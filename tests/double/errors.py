# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Proxmox VE says no: a status, a text that becomes the reason phrase, and for a 400 a map of parameters."""

from __future__ import annotations


class Refusal(Exception):
    """An answer other than 200. The first line of ``text`` is the reason phrase, the whole of it the message."""

    def __init__(self, text: str, status: int = 500, errors: dict[str, str] | None = None, empty: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.errors = errors
        self.empty = empty  # no body at all, as most 401 and every 595


class Hangup(Exception):
    """The connection ends without an answer."""


def invalid(**errors: str) -> Refusal:
    """Parameters that do not hold; dashes in their names are written as underscores here."""
    return Refusal("Parameter verification failed.", 400, {k.replace("_", "-"): v for k, v in errors.items()})


def invalid_one(name: str, text: str) -> Refusal:
    """One parameter that does not hold, named as it is."""
    return Refusal("Parameter verification failed.", 400, {name: text})


def forbidden(what: str = "") -> Refusal:
    """A right that is missing: ``/vms/100, VM.Audit``, or nothing where Proxmox VE gives no reason."""
    return Refusal(f"Permission check failed ({what})" if what else "Permission check failed", 403)


def unauthenticated(text: str, empty: bool = True) -> Refusal:
    """Not known who asks. The real one waits three seconds before it says so."""
    return Refusal(text, 401, empty=empty)


def no_quorum() -> Refusal:
    """What a call says that looks at the quorum before it writes."""
    return Refusal("cluster not ready - no quorum?")
