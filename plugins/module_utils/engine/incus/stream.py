# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node's Incus server, for what is too big to be held: files that are fetched from it or sent to it in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from .client import Answer, Client

try:
    import urllib3
    from urllib3 import exceptions as http
except ImportError:
    # Client says so in words.
    pass

_PIECE = 1024 * 1024


class Stream(Client):
    """The same node with more patience: a disk that writes what it was sent may well pause for seconds."""

    @classmethod
    @contextmanager
    def to(cls, client: Client) -> Iterator[Stream]:
        """Connections of its own to where ``client`` goes, for as long as the block runs."""
        limits = replace(client.limits, connect=max(client.limits.connect, client.limits.request))
        stream = cls(
            client.node,
            client.address,
            client.port,
            identity=client.identity,
            context=client.context,
            limits=limits,
            trace=client.trace,
        )
        try:
            yield stream
        finally:
            stream.close()

    def fetch(self, path: str, attempt: str) -> Iterator[tuple[bytes, int]]:
        """A file in pieces, each with the number of bytes of the whole; 0 where that is not told."""
        self.trace.record("GET", self.node, path)
        try:
            response = self._pool.request(
                "GET", path, timeout=self._patience(), retries=False, preload_content=False, decode_content=False
            )
            try:
                if response.status >= 400:
                    self._answer(response.status, response.read(), "", attempt)
                whole = int(response.headers.get("Content-Length") or 0)
                for piece in response.stream(_PIECE):
                    yield piece, whole
            finally:
                # What was not read to its end cannot be used again.
                response.close()
        except http.SSLError as error:
            raise self._tls_failure(error, attempt) from None
        except http.HTTPError as error:
            raise self._silence(error, attempt) from None

    def give(self, path: str, attempt: str, pieces: Iterator[bytes], length: int, headers: Mapping[str, str]) -> Answer:
        """Send a file in pieces."""
        told = {**headers, "Content-Type": "application/octet-stream", "Content-Length": str(length)}
        self.trace.record("POST", self.node, path)
        try:
            response = self._pool.request(
                "POST", path, body=pieces, headers=told, timeout=self._patience(), retries=False
            )
        except http.SSLError as error:
            raise self._tls_failure(error, attempt) from None
        except http.HTTPError as error:
            raise self._silence(error, attempt) from None
        return self._answer(response.status, response.data, "", attempt)

    def _patience(self) -> urllib3.Timeout:
        return urllib3.Timeout(connect=self.limits.connect, read=self.limits.operation)
