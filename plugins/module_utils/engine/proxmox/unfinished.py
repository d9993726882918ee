# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note on a guest that is not finished. Pure.

A clone is a guest with its source's tags: whose it is, it says only once we have written on it. What a clone gets from
its first moment is its name and its description; so until it is finished, its description says who is making it. A note
of ours is as good as our mark: nobody else is to touch the guest, it is not started, and the next run goes on with it.
"""

from __future__ import annotations

import re

_NOTE = re.compile(r"Switchyard: fleet ([A-Za-z0-9-]+) is making (\S+) of this guest; it is not finished\.\s*")


def note(fleet: str, name: str) -> str:
    """The description of a guest that is to become ``name``."""
    return f"Switchyard: fleet {fleet} is making {name} of this guest; it is not finished."


def says(description: object, fleet: str, name: str) -> bool:
    """Whether a description is our note on a guest of this name."""
    found = _NOTE.fullmatch(str(description or ""))
    return bool(found and (found[1], found[2]) == (fleet, name))
