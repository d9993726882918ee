# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pacemaker's live configuration, read and changed through its own commands, on a node."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from .pacemaker import MAINTENANCE

Run = Callable[[list[str]], tuple[int, str, str]]
"""Carries out a command: exit status, standard output, standard error."""

_ANSWERS_WITHIN = 30
"""Seconds; the commands themselves wait without end for a cluster that has just lost its coordinator."""
_OUTDATED = 103
"""Exit status of cibadmin: somebody else changed the configuration meanwhile."""


class ClusterError(Exception):
    """The cluster does not do it; the message says what was tried."""


class Outdated(ClusterError):
    """The configuration is another one by now; compare again."""


class Live:
    """The configuration as the cluster has it."""

    def __init__(self, run: Run, folder: str) -> None:
        self._run = run
        self._folder = folder
        """For files with secrets: nobody else's."""

    def read(self) -> Element:
        """The whole ``cib``."""
        text = self._do("read the cluster's configuration", "cibadmin", "--query")
        try:
            return fromstring(text)  # noqa: S314  the cluster's own
        except ParseError as error:
            raise ClusterError(f"the cluster's configuration cannot be read: {error}") from error

    def await_quorum(self, patience: float) -> Element:
        """The whole ``cib`` once the cluster has a coordinator and a majority."""
        until = time.monotonic() + patience
        while True:
            try:
                cib = self.read()
                lacking = lacks(cib)
            except ClusterError as error:
                lacking = str(error)
            if not lacking:
                return cib
            if time.monotonic() > until:
                raise ClusterError(f"after {patience:g} s the cluster is not ready: {lacking}")
            time.sleep(0.5)

    def change(self, before: Element, configuration: Element) -> None:
        """Put a configuration in the place of the one that was read, all at once. Raises Outdated."""
        after = deepcopy(before)
        there = after.find("configuration")
        if there is not None:
            position = list(after).index(there)
            after[position] = configuration
        after.set("epoch", str(int(before.get("epoch", "0")) + 1))
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            one, other, patch = (Path(folder) / name for name in ("before.xml", "after.xml", "patch.xml"))
            one.write_text(tostring(before, encoding="unicode"), encoding="utf-8")
            other.write_text(tostring(after, encoding="unicode"), encoding="utf-8")
            status, text, error = self._call("crm_diff", "--original", str(one), "--new", str(other))
            if status not in (0, 1) or not text:
                raise ClusterError(f"compare two configurations: {error or text}")
            patch.write_text(text, encoding="utf-8")
            self._do("change the cluster's configuration", "cibadmin", "--patch", "--xml-file", str(patch))

    def rest(self, seconds: int) -> None:
        """Put the cluster into maintenance mode, out of which it comes by itself even if nobody ends it."""
        ends = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(time.time() + seconds))
        xml = (
            f'<cluster_property_set id="{MAINTENANCE}"><rule id="{MAINTENANCE}-rule" score="1">'
            f'<date_expression id="{MAINTENANCE}-until" operation="lt" end="{ends}"/></rule>'
            f'<nvpair id="{MAINTENANCE}-mode" name="maintenance-mode" value="true"/></cluster_property_set>'
        )
        command = ("cibadmin", "--modify", "--allow-create", "--scope", "crm_config", "--xml-text", xml)
        self._do("begin maintenance", *command)

    def settle(self, seconds: int) -> None:
        """Wait until the cluster has nothing to do; it may go on doing it, if it takes longer."""
        self._call("crm_resource", "--wait", f"--timeout={seconds}", within=seconds + _ANSWERS_WITHIN)

    def wake(self) -> None:
        """End maintenance."""
        xml = f'<cluster_property_set id="{MAINTENANCE}"/>'
        self._do("end maintenance", "cibadmin", "--delete", "--scope", "crm_config", "--xml-text", xml)

    def forget(self, node: str) -> None:
        """Have the cluster forget a node that is no member any more."""
        self._do(f"forget {node}", "crm_node", "--force", "--remove", node)

    def _do(self, attempt: str, *command: str) -> str:
        status, text, error = self._call(*command)
        if status == _OUTDATED:
            raise Outdated(f"{attempt}: {error.strip()}")
        if status:
            raise ClusterError(f"{attempt}: {(error or text).strip() or f'exit status {status}'}")
        return text

    def _call(self, *command: str, within: int = _ANSWERS_WITHIN) -> tuple[int, str, str]:
        return self._run(["timeout", str(within), *command])


def lacks(cib: Element) -> str:
    """What a cluster lacks that is to be configured; empty: nothing."""
    if cib.get("have-quorum") != "1":
        return "it has no majority"
    return "" if cib.get("dc-uuid") not in (None, "", "0") else "it has no coordinator"
