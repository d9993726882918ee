# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a file: the backup of a guest as Incus packs it, read through once, and read again with another account
of the guest in it.

Incus makes of a backup the very guest it was, marks and all. What a guest is, stands in small documents between the
files; they are replaced on the way, so that the new guest is what it is to be from its first moment. Everything else,
byte for byte, is as it was packed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

try:
    import yaml
except ImportError:
    HAS_YAML = False
else:
    HAS_YAML = True

_INDEX = "backup/index.yaml"
_ACCOUNT = re.compile(r"backup/[^/]+/backup\.yaml")
"""The document beside the root file system that Incus makes the guest from."""
_PIECE = 1024 * 1024
_LARGEST = 4 * _PIECE
"""Bytes such a document has at most: more is no such document."""
_BLOCK = 512


class Unfit(Exception):
    """A file that no server can be made from; why."""


@dataclass(frozen=True, slots=True)
class Document:
    """One of the documents: from where to where it is in the tar archive, its header included."""

    begin: int
    end: int
    name: str
    mode: int
    owner: tuple[int, int]
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Archive:
    """What is in a file."""

    path: str
    checksum: str
    """SHA-256 of the file, hexadecimal."""
    length: int
    """Bytes of the tar archive, unpacked."""
    index: Document
    accounts: tuple[Document, ...]

    @property
    def guest(self) -> dict[str, Any]:
        """The guest as Incus' API described it."""
        return dict(self.index.content["config"]["container"])


def read(path: str) -> Archive:
    """Read a file to its very end, so that nothing is begun with half of one. Raises Unfit, or OSError."""
    if not HAS_YAML:
        raise Unfit("PyYAML is not installed here")
    with Path(path).open("rb") as packed:
        raw = _Counted(packed, hashlib.sha256())
        try:
            unpacked = _Counted(_unpacked(raw))
            documents = _documents(unpacked)
            unpacked.drain()
        except (tarfile.TarError, EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise Unfit(f"it is damaged, or no export of a server ({error})") from None
        except yaml.YAMLError as error:
            raise Unfit(f"what it says of its server cannot be read ({error})") from None
        raw.drain()
    index = [each for each in documents if each.name == _INDEX]
    accounts = tuple(each for each in documents if each.name != _INDEX)
    if not index or not accounts or not _complete(index[0].content):
        raise Unfit("it is no export of a server")
    if index[0].content.get("optimized"):
        raise Unfit("it is in the format of one storage driver (optimized)")
    return Archive(path, raw.checksum, unpacked.count, index[0], accounts)


def rewritten(archive: Archive, guest: Mapping[str, Any]) -> tuple[int, Iterator[bytes]]:
    """The tar archive, unpacked, with this guest in the place of the one it was: its length, and its pieces."""
    index = {**archive.index.content, "config": _with(archive.index.content["config"], guest)}
    parts = [(archive.index, _member(archive.index, index))]
    parts += [(each, _member(each, _with(each.content, guest))) for each in archive.accounts]
    parts.sort(key=lambda part: part[0].begin)
    length = archive.length + sum(len(new) - (old.end - old.begin) for old, new in parts)
    return length, _pieces(archive, parts)


def _pieces(archive: Archive, parts: list[tuple[Document, bytes]]) -> Iterator[bytes]:
    with Path(archive.path).open("rb") as packed:
        source = _unpacked(_Counted(packed))
        at = 0
        for old, new in parts:
            yield from _take(source, old.begin - at)
            yield new
            for _piece in _take(source, old.end - old.begin):
                pass
            at = old.end
        yield from _take(source, archive.length - at)


def _take(source: IO[bytes], count: int) -> Iterator[bytes]:
    while count:
        piece = source.read(min(count, _PIECE))
        if not piece:
            raise Unfit("it changed while it was read")
        count -= len(piece)
        yield piece


def _documents(unpacked: _Counted) -> list[Document]:
    found = []
    with tarfile.open(fileobj=cast("IO[bytes]", unpacked), mode="r|", bufsize=_PIECE) as tar:
        for member in tar:
            if not member.isreg() or not (member.name == _INDEX or _ACCOUNT.fullmatch(member.name)):
                # The list of members it keeps for itself would be as long as the server has files.
                tar.members = []
                continue
            if member.size > _LARGEST:
                raise Unfit("it is no export of a server")
            content = cast("IO[bytes]", tar.extractfile(member)).read()
            end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
            owner = (member.uid, member.gid)
            # A safe loader that leaves one kind of value alone.
            said = yaml.load(content, _Plain) or {}  # noqa: S506
            found.append(Document(member.offset, end, member.name, member.mode, owner, said))
    return found


def _member(old: Document, content: Mapping[str, Any]) -> bytes:
    """A document as a member of a tar archive: header, content, padding."""
    # By way of JSON: what comes from Ansible is text with something attached to it, which YAML does not write.
    plain = json.loads(json.dumps(content))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).encode()
    info = tarfile.TarInfo(old.name)
    info.size, info.mode, (info.uid, info.gid) = len(text), old.mode, old.owner
    return info.tobuf(tarfile.GNU_FORMAT) + text + b"\0" * (-len(text) % _BLOCK)


def _with(config: Mapping[str, Any], guest: Mapping[str, Any]) -> dict[str, Any]:
    """A document of Incus' with another guest. What follows from profiles is what stands on it: it has none."""
    described = {**config["container"], **guest}
    described |= {"expanded_config": described["config"], "expanded_devices": described["devices"]}
    return {**config, "container": described}


def _complete(index: Mapping[str, Any]) -> bool:
    config = index.get("config")
    guest = config.get("container") if isinstance(config, dict) else None
    return isinstance(guest, dict) and {"name", "config", "devices"} <= guest.keys()


def _unpacked(packed: _Counted) -> IO[bytes]:
    """What is in a file, by what it begins with."""
    begin = packed.peek(6)
    if begin.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=cast("IO[bytes]", packed)))
    if begin.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(cast("IO[bytes]", packed))
    if begin.startswith(b"\x28\xb5\x2f\xfd"):
        raise Unfit("it is packed with zstd, which is not read here: unzstd it")
    return cast("IO[bytes]", packed)


class _Counted(io.RawIOBase):
    """A file read from front to back: how much of it, and the checksum of that."""

    def __init__(self, source: IO[bytes], digest: Any = None) -> None:
        super().__init__()
        self._source = source
        self._digest = digest
        self._ahead = b""
        self.count = 0

    @property
    def checksum(self) -> str:
        return str(self._digest.hexdigest())

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        self._ahead = self._source.read(size)
        return self._ahead

    def read(self, size: int = -1) -> bytes:
        if self._ahead:
            piece, self._ahead = self._ahead, b""
            if size >= 0:
                piece, self._ahead = piece[:size], piece[size:]
        else:
            piece = self._source.read(size)
        self.count += len(piece)
        if self._digest is not None:
            self._digest.update(piece)
        return piece

    def drain(self) -> None:
        """Read what is left."""
        while self.read(_PIECE):
            pass


if HAS_YAML:

    class _Plain(yaml.SafeLoader):  # type: ignore[misc]
        """YAML as Incus writes it, with moments left as the text they are: to be written again as they were read."""

    _Plain.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
