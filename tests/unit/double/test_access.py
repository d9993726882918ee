# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may what."""

from __future__ import annotations

from double import Credentials, Double


def limited(double: Double, privileges: str) -> str:
    """A user with these rights in a pool."""
    double.ask("POST", "/access/roles", roleid="Some", privs=privileges)
    double.ask("POST", "/access/users", userid="web@pve", password="a-long-password")
    double.ask("POST", "/pools", poolid="theirs")
    double.ask("PUT", "/access/acl", path="/pool/theirs", users="web@pve", roles="Some")
    return "web@pve"


def test_a_missing_right_is_named(double: Double) -> None:
    web = limited(double, "VM.Audit Pool.Audit")
    double.add_guest(100)
    assert (
        double.ask("GET", "/nodes/pve1/lxc/100/config", who=web).reason
        == "Permission check failed (/vms/100, VM.Audit)"
    )
    assert double.ask("GET", "/cluster/resources", type="vm", who=web).data == []
    double.ask("PUT", "/pools/theirs", vms="100")
    assert double.ask("GET", "/nodes/pve1/lxc/100/config", who=web).status == 200
    start = double.ask("POST", "/nodes/pve1/lxc/100/status/start", who=web)
    assert (start.status, start.reason) == (403, "Permission check failed (/vms/100, VM.PowerMgmt)")


def test_a_token_with_separated_privileges_may_only_what_it_was_granted(double: Double) -> None:
    answer = double.send("POST", "/access/users/root@pam/token/ci")
    token = Credentials(token=f"{answer.data['full-tokenid']}={answer.data['value']}")
    assert double.ask("POST", "/pools", poolid="x", who=token).status == 403
    double.ask("PUT", "/access/acl", path="/pool", tokens="root@pam!ci", roles="PVEPoolAdmin")
    assert double.ask("POST", "/pools", poolid="x", who=token).status == 200


def test_a_ticket_needs_its_csrf_token_to_write_and_ends_after_two_hours(double: Double) -> None:
    login = double.ask("POST", "/access/ticket", username="root@pam", password="double", who=Credentials()).data
    ticket, csrf = login["ticket"], login["CSRFPreventionToken"]
    assert (
        double.ask("POST", "/pools", poolid="x", who=Credentials(ticket)).reason
        == "Permission denied - invalid csrf token"
    )
    assert double.ask("POST", "/pools", poolid="x", who=Credentials(ticket, csrf)).status == 200
    double.advance(7300)
    late = double.ask("GET", "/version", who=Credentials(ticket))
    assert (late.status, late.reason, late.body) == (401, "Authentication failed!", None)


def test_who_is_wrong_waits_three_seconds(double: Double) -> None:
    begun = double.world.clock.now()
    answer = double.ask("POST", "/access/ticket", username="root@pam", password="wrong", who=Credentials())
    assert (answer.status, answer.reason) == (401, "authentication failure")
    assert round(double.world.clock.now() - begun) == 3
