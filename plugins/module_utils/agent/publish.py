# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's report, where controllers read it: written when it changes, and only then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..drbd.status import FILE
from ..engine.base import EngineError
from ..engine.incus import agent_report, safekeeping
from ..engine.incus.agent_report import Report
from ..engine.incus.client import Changed, Client
from ..engine.incus.guests import TRIES, Found
from . import memory, pairs, record, settled
from .settings import Settings


def publish(settings: Settings, client: Client, report: Report) -> None:
    """One request; two where the report changed."""
    attempt = "publish the agent's report"
    key, wanted = agent_report.key(settings.fleet.name), agent_report.text(report)
    for tried in range(TRIES):
        answer = client.get("/1.0", attempt)
        if (answer.metadata.get("config") or {}).get(key, "") == wanted:
            return
        try:
            client.send("PATCH", "/1.0", attempt, {"config": {key: wanted}}, etag=answer.etag)
        except Changed:
            # Somebody set another option of this server meanwhile.
            if tried == TRIES - 1:
                raise
            continue
        return


def report(settings: Settings, found: Mapping[str, Found]) -> Report:
    """What this node does by itself. ``found``: its guests, whose labels say which pairs of nodes they need."""
    now = settled.load()
    plain = Report(
        replicates=True,
        servers=now.troubles | still_named(memory.named(), found, settings.here),
        in_step=settings.disks is not None and Path(FILE).exists(),
        since=now.since,
    )
    if not settings.protects:
        return plain
    try:
        configuration = pairs.configuration()
        known = pairs.with_missing(settings, found.values(), configuration)
        record.write(record.lacking(settings.here, found, record.held(configuration)))
    except EngineError as error:
        return replace(plain, trouble=str(error))
    looked_after = frozenset((pair.home, pair.backup) for pair in known)
    return replace(plain, protects=True, pairs=looked_after)


def still_named(
    named: Mapping[tuple[str, str], Mapping[str, str]], found: Mapping[str, Found], here: str
) -> dict[str, str]:
    """What pairs of nodes had to say of servers, but for those that are no longer theirs: a copy that could not be
    started because another one was newer became that one's replica meanwhile. Pure."""
    return {
        name: why
        for pair, servers in named.items()
        for name, why in servers.items()
        if name not in found or _is_of(pair, found[name], here)
    }


def _is_of(pair: tuple[str, str], copy: Found, here: str) -> bool:
    home, backup = pair
    label = safekeeping.pair(copy.config)
    if here == home:
        return label == pair and not copy.replica
    # What was promoted here bears the other label from then on.
    return label == (pair if copy.replica else (backup, home))
