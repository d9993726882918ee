# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard-agent leave``: an orderly end of this node's membership, which systemd has wait for whoever takes over.

Pacemaker is through as soon as the servers are stopped here. Their backups still fetch what they took last, and need
this node's Incus for it: without a wait, an orderly restart of a node could lose what only a power cut has to.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from ..engine.base import EngineError
from ..engine.incus import operation, safekeeping
from ..engine.incus.guests import Found, Guests, path_of
from . import power
from .settings import Settings

_PAUSE = 1.0
_ATTEMPT = "see who was taken over"


def arguments(_name: str, parser: argparse.ArgumentParser) -> None:
    """How long to wait."""
    parser.add_argument("--idle", type=float, default=30.0, help="s without anybody fetching anything (%(default)s)")
    parser.add_argument("--seconds", type=float, default=600.0, help="s altogether (%(default)s)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Wait until every server that was stopped here is another node's, or nobody seems to want them."""
    now = time.monotonic()
    end, idle = now + options.seconds, now + options.idle
    limits = replace(settings.fleet.limits, connect=2.0, request=15.0)
    with closing(settings.clients([settings.here], limits)[settings.here]) as client:
        here = settings.guests(client)
        try:
            while True:
                left = behind(settings.here, here.all(_ATTEMPT))
                if not left:
                    return 0
                if any(_fetched(here, name) for name in left):
                    idle = time.monotonic() + options.idle
                if time.monotonic() > min(end, idle):
                    break
                time.sleep(_PAUSE)
        except EngineError as error:
            sys.stderr.write(f"{error}\n")
            return 0
    # No failure: whoever starts them next sees by their generations which copy is the newest.
    sys.stderr.write(f"nobody took over {', '.join(left)}\n")
    return 0


def behind(here: str, found: Mapping[str, Found]) -> list[str]:
    """Servers stopped here that are to run, and whose backup has not made the copies here its replicas. Pure."""
    return sorted(
        name
        for name, copy in found.items()
        if copy.stopped and power.wanted(copy) and (safekeeping.pair(copy.config) or ("",))[0] == here
    )


def _fetched(here: Guests, name: str) -> bool:
    return bool(operation.running(here.client, path_of(name), _ATTEMPT, 0.0, operation.MIGRATION))
