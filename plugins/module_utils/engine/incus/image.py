# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates are images; a node that lacks one pulls it from a node that has it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from ...fleet.model import StoredTemplate, Template
from ..base import Progress, Refused, Unreachable
from . import operation
from .client import Client
from .guest import INSTANCE_TYPES, alias
from .peer import certificate

_PAUSES = (0.5, 2.0)
"""Seconds before a pull whose first connection failed is tried again."""
_MISSED = "failed to verify certificate"
"""What a node says when its connection to the source failed for any reason at all: Incus then dials once more by the
host name instead of the certificate it was given, and reports only how that ended. We know the source by its pin."""


def provide(template: Template, source: Client, target: Client, seconds: float, progress: Progress) -> None:
    """Copy a template's image, with its properties and its alias, from node to node."""
    name = alias(template.name, template.version)
    attempt = f"copy template {template.name} {template.version} from {source.node}"
    there = _images(target, attempt)
    if _named(there, name):
        return
    image = _named(_images(source, attempt), name)
    if image is None:
        raise Refused(
            source.node,
            f"copy template {template.name} {template.version} to {target.node}",
            f"no image {name} here",
            "build the template (role template) or name another source",
        )
    fingerprint = image["fingerprint"]
    alias_body = {"name": name, "description": f"Template {template.name}, version {template.version}"}
    if any(each["fingerprint"] == fingerprint for each in there):
        # The same content under another name.
        target.send("POST", "/1.0/images/aliases", attempt, alias_body | {"target": fingerprint})
        return
    for pause in (*_PAUSES, None):
        body = {
            "source": {
                "type": "image",
                "mode": "pull",
                "protocol": "incus",
                "server": source.url,
                "certificate": certificate(source, attempt),
                "fingerprint": fingerprint,
                "secret": _secret(source, fingerprint, attempt),
                "image_type": INSTANCE_TYPES[template.kind],
            },
            "aliases": [alias_body],
            "auto_update": False,
            "public": False,
        }
        try:
            started = target.send("POST", "/1.0/images", attempt, body)
            operation.wait(target, started.operation, attempt, seconds, progress)
            return
        except (operation.Gone, Refused, Unreachable) as error:
            if isinstance(error, Refused) or error.unsure:
                _settle(target, fingerprint, attempt, seconds, progress)
                if _named(_images(target, attempt), name):
                    return
            if pause is None or _MISSED not in error.answer:
                raise
            time.sleep(pause)


def present(client: Client, name: str, attempt: str) -> bool:
    """Whether a node has an image of that alias."""
    return _named(_images(client, attempt), name) is not None


def stored(client: Client) -> list[StoredTemplate]:
    """The templates a node holds. One request."""
    found = []
    for image in _images(client, "list templates"):
        properties = image.get("properties") or {}
        name, version = properties.get("switchyard.template", ""), properties.get("switchyard.version", "")
        if name and version and any(each["name"] == alias(name, version) for each in image.get("aliases") or ()):
            found.append(
                StoredTemplate(
                    name=name,
                    version=version,
                    node=client.node,
                    fleet=properties.get("switchyard.fleet", ""),
                    taken_from=properties.get("switchyard.from", ""),
                    size=int(image.get("size") or 0) // 1024**2,
                    created=str(image.get("created_at", "")),
                )
            )
    return found


def discard(client: Client, name: str, version: str, seconds: float) -> None:
    """Remove a template from a node; servers made from it have their own copy of everything. Three requests."""
    attempt = f"remove template {name} {version}"
    image = _named(_images(client, attempt), alias(name, version))
    if image is None:
        return
    others = [each["name"] for each in image.get("aliases") or () if each["name"] != alias(name, version)]
    if others:
        # The same content under another name, which stays.
        client.send("DELETE", f"/1.0/images/aliases/{quote(alias(name, version), safe='')}", attempt)
        return
    started = client.send("DELETE", f"/1.0/images/{image['fingerprint']}", attempt)
    operation.wait(client, started.operation, attempt, seconds)


def _settle(target: Client, fingerprint: str, attempt: str, seconds: float, progress: Progress) -> None:
    try:
        operation.settle(target, f"/1.0/images/{fingerprint}", attempt, seconds, progress)
    except Unreachable:
        # The error that brought us here says more.
        return


def _images(client: Client, attempt: str) -> list[dict[str, Any]]:
    return client.get("/1.0/images?recursion=1", attempt).metadata or []


def _named(images: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((image for image in images if any(each["name"] == name for each in image.get("aliases") or ())), None)


def _secret(source: Client, fingerprint: str, attempt: str) -> str:
    """A token that lets its bearer fetch this image, once."""
    started = source.send("POST", f"/1.0/images/{fingerprint}/secret", attempt)
    secret = ((started.metadata or {}).get("metadata") or {}).get("secret")
    if not secret:
        raise Refused(source.node, attempt, "the node gave no token for the image")
    return str(secret)
