# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster remembers of servers in step: which node goes on alone, and has what the other one lacks.

It is written before that node acknowledges another write, into Pacemaker's configuration, which a majority keeps: a
node that does not know of it, because it was away, learns it before it could start anything. It is taken back once both
have everything again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from ..cluster import nvpairs
from ..cluster.pacemaker import RECORD
from . import cib, quorum

_PREFIX = "alone-"
_NOBODY = "-"
_WHERE = f"//crm_config/cluster_property_set[@id='{RECORD}']"
_SETTLES = 1.0
"""Seconds in which all of Pacemaker learns of it when Corosync has made out that the majority is gone."""
FOLDER = Path("/run/switchyard/alone")


def read() -> dict[str, str]:
    """Server -> the node that alone has everything. Raises EngineError where the cluster cannot be asked."""
    return parsed(cib.query("read who goes on alone", "--xpath", _WHERE))


def write(claims: Mapping[str, str]) -> None:
    """Have it remembered; an empty name: both have everything. Raises EngineError where that is not certain."""
    if claims:
        cib.add("record who goes on alone", "crm_config", written(claims))


def claim(server: str, node: str) -> None:
    """Have the majority remember that ``node`` goes on alone with a server. Raises EngineError unless that is
    certain.

    Pacemaker takes a change from a node that is cut off as well, which nobody else ever learns of: so the majority has
    to be there before, and still be there afterwards. Corosync delivers nothing while it makes out who is left.
    """
    _see_majority(server)
    write({server: node})
    time.sleep(_SETTLES)
    _see_majority(server)


def _see_majority(server: str) -> None:
    if quorum.known() is None:
        raise cib.trouble(f"record who goes on alone with {server}", "this node is not in touch with the majority")


def parsed(text: str) -> dict[str, str]:
    """The claims in what cibadmin prints."""
    if not text.strip():
        return {}
    try:
        held = fromstring(text)  # noqa: S314 - this node's own cluster
    except ParseError as error:
        # To take it for empty would be to let an old copy start.
        raise cib.trouble("read who goes on alone", f"not the XML it should be: {error}") from None
    return {
        name.removeprefix(_PREFIX): value
        for name, value in nvpairs.read(held).items()
        if name.startswith(_PREFIX) and value not in ("", _NOBODY)
    }


def written(claims: Mapping[str, str]) -> str:
    """What cibadmin is to add."""
    made = Element("crm_config")
    said = {f"{_PREFIX}{name}": node or _NOBODY for name, node in claims.items()}
    nvpairs.add(made, "cluster_property_set", RECORD, said)
    return tostring(made, encoding="unicode")


@contextmanager
def hands_on(server: str, folder: Path = FOLDER) -> Iterator[None]:
    """Nobody else here says anything about a server meanwhile: what was just claimed is not taken back by somebody who
    looked before."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / f".{server}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
