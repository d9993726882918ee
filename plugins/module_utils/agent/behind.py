# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose pair is on its backup already, and that do not run: those a start there left behind, for a trouble that
may pass, and those that came to their home since. Pacemaker has nothing left to start: the looks at the pair try again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ..engine.base import EngineError
from ..engine.incus import safekeeping
from ..engine.incus.guests import Found
from ..probe import answering
from . import quorum, survivors
from .rescue import Rescue
from .work import Work

PAUSE = 30.0
"""Seconds between two attempts, at least: each asks the cluster, and every node once."""


def again(work: Work, copies: Mapping[str, Found], named: Mapping[str, str]) -> bool:
    """Try once more; whether anything was tried. ``copies``: the pair's here; ``named``: those that were left behind.

    Of a home that lives, only what it let go of: the rest is there, and serves. Of one that is dead, all.
    """
    mine = waiting(copies)
    if not mine or not work.settings.protects:
        return False
    home = work.pair.home
    members = survivors.members()
    if members is None:
        return False
    dead = home not in members
    if dead and not _is_off(work, mine):
        return False
    tried = mine if dead else {name: found for name, found in mine.items() if name in named}
    if not tried:
        return False
    try:
        Rescue(work).again(tried, dead=dead)
    except EngineError as error:
        sys.stderr.write(f"{error}; not started here: {', '.join(sorted(tried))}\n")
    return True


def waiting(copies: Mapping[str, Found]) -> dict[str, Found]:
    """The replicas that are to become servers here once their home is dead. Pure."""
    return {
        name: found
        for name, found in copies.items()
        if found.replica
        and safekeeping.guarded(found.config).mode == "auto"
        and safekeeping.guarded(found.config).action == "relocate"
    }


def _is_off(work: Work, mine: Mapping[str, Found]) -> bool:
    """Whether the home is certainly dead: nobody but Pacemaker waits for its fencing, and it is not asked here. So the
    majority has to have seen it off, and neither it nor a server of its answers any more: it may have left the cluster
    in order, and carry on."""
    home = work.pair.home
    known = quorum.known()
    if known is None or home not in known.dead:
        return False
    addresses = [each for found in mine.values() for each in safekeeping.guarded(found.config).addresses]
    return not answering([work.settings.fleet.nodes[home].address, *addresses])
