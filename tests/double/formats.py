# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Formats of strings, each with the words of the check that refuses them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

NAME = r"[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?"
IPCONFIG = {"gw": "ip", "gw6": "ip6"}


def check_format(form: str, text: str, name: str) -> str:
    """What a format's check says of a text; nothing where it holds. Lists are checked item by item."""
    check = CHECKS.get(form)
    if check:
        return check(text) if form != "pve-qm-ipconfig" else _ipconfig(text, name)
    if form.endswith("-list"):
        one = CHECKS.get(form.removesuffix("-list"))
        for item in re.split(r"[,; \t\0]+", text) if one else []:
            problem = one(item) if one and item else ""
            if problem:
                return problem
    return ""


def _matches(pattern: str, refusal: str) -> Callable[[str], str]:
    return lambda text: "" if re.fullmatch(pattern, text) else refusal.format(text)


def _mac(text: str) -> str:
    good = re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text) and not int(text[:2], 16) & 1
    return "" if good else "value does not look like a valid unicast MAC address\n"


def _ipv4_config(text: str) -> str:
    return (
        ""
        if text in ("dhcp", "manual") or _is_cidr(text, 4)
        else ("value does not look like a valid ipv4 network configuration\n")
    )


def _ipv6_config(text: str) -> str:
    return (
        ""
        if text in ("auto", "dhcp", "manual") or _is_cidr(text, 6)
        else ("value does not look like a valid ipv6 network configuration\n")
    )


def _is_cidr(text: str, version: int) -> bool:
    if "/" not in text:
        return False
    try:
        return ipaddress.ip_interface(text).version == version
    except ValueError:
        return False


def _address(*versions: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            good = ipaddress.ip_address(text).version in versions
        except ValueError:
            good = False
        what = f"ipv{versions[0]}" if len(versions) == 1 else "IP"
        return "" if good else f"value does not look like a valid {what} address\n"

    return check


def _ipconfig(text: str, name: str) -> str:
    values = dict(part.partition("=")[::2] for part in text.split(",") if part)
    problems = []
    for key, value in values.items():
        check = {"ip": _ipv4_config, "ip6": _ipv6_config, "gw": _address(4), "gw6": _address(6)}.get(key)
        problem = check(value) if check else ""
        if problem:
            problems.append(f"{name}.{key}: invalid format - {problem}\n")
        if key in IPCONFIG and IPCONFIG[key] not in values:
            problems.append(f"{name}.{IPCONFIG[key]}: missing property required by '{name}.{key}'\n")
    return "format error\n" + "".join(problems).removesuffix("\n") if problems else ""


def _calendar(text: str) -> str:
    word = re.match(r"[a-z]+", text)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "hourly", "daily", "weekly", "monthly", "yearly")
    if word and not any(word[0].startswith(day) for day in days):
        short = word[0][:3]
        return f"invalid calendar event '{text}' - unable to parse calendar event - invalid weekday '{short}'\n"
    return ""


def _urlencoded(text: str) -> str:
    return "" if re.fullmatch(r"[-%a-zA-Z0-9_.!~*'()]*", text) else "value is not urlencoded"


CHECKS: dict[str, Callable[[str], str]] = {
    "pve-vmid": _matches(r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "dns-name": _matches(rf"{NAME}(\.{NAME})*", "value does not look like a valid DNS name"),
    "pve-node": _matches(NAME, "value does not look like a valid node name"),
    "pve-tag": _matches(r"[a-zA-Z0-9_][a-zA-Z0-9_\-+.]*", "invalid characters in tag"),
    "pve-configid": _matches(r"[a-zA-Z][a-zA-Z0-9_\-]+", "invalid configuration ID '{}'"),
    "pve-poolid": _matches(r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+){0,2}", "pool name '{}' contains invalid characters"),
    "pve-storage-id": _matches(r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]", "storage ID '{}' contains illegal characters"),
    "pve-replication-job-id": _matches(r"[1-9][0-9]{2,8}-\d{1,9}", "invalid replication job id '{}'"),
    "pve-roleid": _matches(r"[A-Za-z0-9.\-_]+", "role name '{}' contains invalid characters"),
    "pve-userid": _matches(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+", "value '{}' does not look like a valid user name"),
    "pve-calendar-event": _calendar,
    "mac-addr": _mac,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "ip": _address(4, 6),
    "pve-ipv4-config": _ipv4_config,
    "pve-ipv6-config": _ipv6_config,
    "pve-qm-ipconfig": lambda text: "",
    "disk-size": _matches(r"\d+(\.\d+)?[KMGT]?", "value does not look like a valid disk size"),
    "urlencoded": _urlencoded,
}
