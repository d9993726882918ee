# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The single values of the vocabulary: amounts, durations, names, choices, addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

try:
    import netaddr
except ImportError:  # spec.parse says so before anything here is asked
    netaddr = None

from .kinds import Scalar
from .quantity import Unacceptable, mebibytes, number, seconds, whole

TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


def integer(low: int, high: int, unit: str = "") -> Scalar:
    """A whole number within a range."""

    def convert(value: Any) -> int:
        result = whole(value)
        if not low <= result <= high:
            raise Unacceptable("out of range")
        return result

    return Scalar("integer", f"a whole number from {low} to {high}", convert, unit)


def decimal(low: float, high: float, unit: str = "") -> Scalar:
    """A number within a range."""

    # As they are written: the float 0.1 is a little more than the exact 0.1 of an inventory.
    least, most = Fraction(repr(low)), Fraction(repr(high))

    def convert(value: Any) -> float:
        exact = number(value)
        if not least <= exact <= most:
            raise Unacceptable("out of range")
        return float(exact)

    return Scalar("number", f"a number from {low:g} to {high:g}", convert, unit)


def amount(what: str, low: int, high: int) -> Scalar:
    """Memory or disk, in MiB."""

    def convert(value: Any) -> int:
        result = mebibytes(value, f"an amount of {what}")
        if not low <= result <= high:
            raise Unacceptable(f"out of range ({low} MiB to {high // 1024**2} TiB)")
        return result

    return Scalar(what, "a number of MiB, or a number with a unit: 512MiB, 2GiB", convert, "MiB")


def duration(low: float, high: float) -> Scalar:
    """A time span, in seconds."""

    def convert(value: Any) -> float:
        result = seconds(value)
        if not low <= result <= high:
            raise Unacceptable("out of range")
        return result

    accepted = f"{low:g} to {high:g} seconds: a number of seconds, or with a unit: 90s, 5m, 1h"
    return Scalar("duration", accepted, convert, "s")


def choice(*choices: str, means: Mapping[str, str] | None = None) -> Scalar:
    """One of a few words. ``means`` maps other ways of writing one (``false`` for YAML's off) to it."""
    accepted = " or ".join(choices) if len(choices) < 3 else ", ".join(choices[:-1]) + f" or {choices[-1]}"
    synonyms = means or {}

    def convert(value: Any) -> str:
        if isinstance(value, bool):
            word = str(value).lower()
            if word in synonyms:
                return synonyms[word]
            raise Unacceptable("a truth value (YAML reads on, off, yes and no as such)")
        if isinstance(value, str):
            word = str(value)
            if word in choices:
                return word
            if word.lower() in synonyms:
                return synonyms[word.lower()]
        raise Unacceptable("no value (an empty field?)" if value is None else "not one of the words accepted")

    return Scalar("choice", accepted, convert)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUTHS:
        return TRUTHS[value.lower()]
    raise Unacceptable("not a truth value")


FLAG = Scalar("boolean", "true or false", _flag)


def plain_text(value: Any) -> str:
    """Printable text, so that no value can smuggle a line into a file or a header."""
    if value is None:
        raise Unacceptable("no value (an empty field?)")
    if isinstance(value, (bool, int, float)):
        raise Unacceptable("not text (put it in quotes)")
    if not isinstance(value, str):
        raise Unacceptable("not text")
    if not value.isprintable():
        raise Unacceptable("has a line end or another unprintable character")
    return str(value)


def text(
    accepted: str = "text", *, pattern: str = "", most: int = 255, empty: bool = False, label: str = "text"
) -> Scalar:
    """One line of text. ``pattern`` must match the whole of it; ``empty``: may also be nothing."""
    form = re.compile(pattern or r".*")

    def convert(value: Any) -> str:
        result = plain_text(value)
        if not result and empty:
            return ""
        if not result or len(result) > most or not form.fullmatch(result):
            raise Unacceptable("empty" if not result else "too long" if len(result) > most else "not of this form")
        return result

    return Scalar(label, accepted, convert)


def named(what: str, *, empty: bool = True) -> Scalar:
    """The name of something declared elsewhere; whether it exists is asked later."""
    return text(f"the name of {what}", most=253, empty=empty, label="name")


DEVICE = text(
    "a device name: letters, digits, dashes, dots, colons, underscores",
    pattern=r"[A-Za-z0-9_.:-]+",
    most=63,
    label="name",
)
BRIDGE = text(
    "an interface name of up to 15 letters, digits, dashes, dots and underscores",
    pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]*",
    most=15,
    label="name",
)
PATH = text("a path", most=4096, label="path")


def ip(value: Any) -> str:
    """An IPv4 or IPv6 address in its canonical spelling."""
    written = plain_text(value)
    if "/" in written:
        raise Unacceptable("not an address (the prefix length is the network's)")
    try:
        return str(netaddr.IPAddress(written, flags=netaddr.INET_PTON))
    except (netaddr.AddrFormatError, ValueError, TypeError):
        raise Unacceptable("not an IP address") from None


def _cidr(value: Any) -> str:
    written = plain_text(value)
    if not re.fullmatch(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", written):
        raise Unacceptable("not a network with a prefix length")
    try:
        network = netaddr.IPNetwork(written)
    except (netaddr.AddrFormatError, ValueError, TypeError):
        raise Unacceptable("not a network with a prefix length") from None
    if network.ip != network.network:
        raise Unacceptable("has bits set behind its prefix", str(network.cidr))
    return str(network)


def _reserved(value: Any) -> str:
    written = plain_text(value)
    if "/" in written:
        return _cidr(written)
    first, dash, last = (part.strip() for part in written.partition("-"))
    if not dash:
        return ip(first)
    start, end = ip(first), ip(last)
    if netaddr.IPAddress(start).version != netaddr.IPAddress(end).version or netaddr.IPAddress(
        start
    ) > netaddr.IPAddress(end):
        raise Unacceptable("not a range: its first address comes after its last")
    return f"{start}-{end}"


def _host_address(value: Any) -> str:
    written = plain_text(value)
    if DNS_NAME.fullmatch(written) and not re.fullmatch(r"[0-9.]+", written):
        return written
    try:
        return ip(written)
    except Unacceptable:
        raise Unacceptable("neither an IP address nor a host name") from None


def _url(value: Any) -> str:
    written = plain_text(value)
    try:
        parts = urlsplit(written)
        # Reading the port is what finds one that is no number.
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in written and parts.port != 0
    except ValueError:
        good = False
    if not good or len(written) > 2048:
        raise Unacceptable("not a URL")
    return written


def _fingerprint(value: Any) -> str:
    digits = plain_text(value).replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise Unacceptable("not a SHA-256 fingerprint")
    return digits


def _address_or_nothing(value: Any) -> str:
    return "" if isinstance(value, str) and not value else ip(value)


ADDRESS = Scalar("address", "an IPv4 or IPv6 address, without a prefix length", ip)
OPTIONAL_ADDRESS = Scalar(
    "address", "an IPv4 or IPv6 address, without a prefix length; empty: none", _address_or_nothing
)
CIDR = Scalar("network", "a network with its prefix length: 10.20.0.0/24", _cidr)
RESERVED = Scalar("addresses", "an address, a range first-last, or a CIDR", _reserved)
HOST_ADDRESS = Scalar("address", "an IP address or a host name", _host_address)
URL = Scalar("URL", "a URL: http://host:port/path or https://…", _url)
FINGERPRINT = Scalar("fingerprint", "64 hexadecimal digits, with or without colons", _fingerprint)
