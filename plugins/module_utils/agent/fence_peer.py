# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command ``fence-peer``: what DRBD asks when it does not hear a server's other node, before it goes on without it.

A write is acknowledged once both nodes have it. Where one is gone, the other one's writes wait until the cluster has
recorded that from now on it alone has everything. A node that is cut off from the majority cannot record anything: its
writes wait until it is fenced, or hears the others again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from ..drbd import device
from ..drbd.resource import PREFIX
from ..engine.base import EngineError
from . import alone
from .settings import Settings

OUTDATED, DEAD, NO = 4, 7, 1
"""What DRBD takes for an answer: the other side's copy is known to be outdated; its node is dead; neither is certain:
writes go on waiting, and nobody is promoted. 5 would be *not reached*, with which it goes on all the same."""
_PATIENCE = 90.0
"""Seconds the cluster may take to see who is left, and to take a record; then the agent's next look asks again."""
_PAUSE = 1.0


def arguments(_name: str, _parser: argparse.ArgumentParser) -> None:
    """Nothing: DRBD says all in its handlers' environment."""


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Answer; the exit status is the answer."""
    name = os.environ.get("DRBD_RESOURCE", "")
    number = os.environ.get("DRBD_MINOR", os.environ.get("DRBD_MINOR_0", ""))
    if not name.startswith(PREFIX) or not number.isdecimal():
        sys.stderr.write("switchyard-agent fence-peer: DRBD calls it, with DRBD_RESOURCE and DRBD_MINOR set\n")
        return NO
    server = name.removeprefix(PREFIX)
    try:
        writes = device.statuses(settings.here)[int(number)].role == "Primary"
        return _go_on(settings, server) if writes else _begin(settings, server)
    except (EngineError, KeyError) as error:
        sys.stderr.write(f"switchyard-agent fence-peer: {server}: {error}\n")
        return NO


def _go_on(settings: Settings, server: str) -> int:
    """It is written to here, and was in step until now."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            with alone.hands_on(server):
                claimed = alone.read().get(server, settings.here)
                if claimed != settings.here:
                    sys.stderr.write(f"{server}: {claimed} goes on alone with it; it waits here\n")
                    return NO
                alone.claim(server, settings.here)
        except EngineError:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        else:
            return OUTDATED


def _begin(settings: Settings, server: str) -> int:
    """It is about to be written to here: whoever decided that has recorded it before."""
    claimed = alone.read().get(server, "")
    if claimed == settings.here:
        return DEAD
    sys.stderr.write(
        f"{server}: the cluster does not say that {settings.here} goes on alone with it, but {claimed or 'nobody'}\n"
    )
    return NO
