# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is let in, with the rights the fleet needs, and stays in: whole runs of the role."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.privileges import role

from .conftest import Site, changed


@pytest.fixture(params=["pvesh", "login"])
def way(request: pytest.FixtureRequest, site: Site) -> dict[str, object]:
    """From a node as root, or over the API from the controller."""
    if request.param == "pvesh":
        return {}
    (site.pki / "nodes").mkdir(parents=True)
    for node in site.double.world.cluster.nodes:
        (site.pki / "nodes" / f"{node}.crt").write_text(site.pem)
    return {"proxmox_access_login": site.login}


def test_a_second_run_changes_nothing_and_a_check_nothing_at_all(site: Site, way: dict[str, object]) -> None:
    access = site.double.world.access
    before = site.role("proxmox_access", "--check", "--diff", **way)
    assert changed(before)
    assert "switchyard@pve" not in access.users and not (site.pki / "proxmox.token").exists()

    first = site.role("proxmox_access", "--diff", **way)
    secret = access.users["switchyard@pve"].tokens["fleet"].secret
    assert (site.pki / "proxmox.token").read_text() == f"switchyard@pve!fleet={secret}\n"
    assert (site.pki / "proxmox.token").stat().st_mode & 0o777 == 0o600
    assert secret not in first and "VM.Allocate" in first
    assert access.roles["SwitchyardEngine"] == role(9)

    assert changed(site.role("proxmox_access", **way)) == 0
    assert access.users["switchyard@pve"].tokens["fleet"].secret == secret
    assert changed(site.role("proxmox_access", "--check", **way)) == 0


def test_what_somebody_changed_is_brought_back_and_what_is_theirs_is_left(site: Site) -> None:
    site.role("proxmox_access")
    double, access = site.double, site.double.world.access
    double.ask("PUT", "/access/roles/SwitchyardEngine", privs="VM.Audit,Sys.Modify")
    double.ask("PUT", "/access/users/switchyard@pve", enable=0)
    double.ask("PUT", "/access/acl", path="/vms", users="switchyard@pve", roles="SwitchyardEngine", delete=1)
    double.ask("PUT", "/access/acl", path="/access", users="switchyard@pve", roles="SwitchyardEngine")
    double.ask("POST", "/access/users", userid="web@pve")
    double.ask("PUT", "/access/acl", path="/vms", users="web@pve", roles="PVEAuditor")
    secret = access.users["switchyard@pve"].tokens["fleet"].secret
    assert changed(site.role("proxmox_access"))
    assert access.roles["SwitchyardEngine"] == role(9) and access.users["switchyard@pve"].enable
    own = {grant.path for grant in access.grants if grant.ugid == "switchyard@pve"}
    assert "/vms" in own and "/access" not in own
    assert ("/vms", "PVEAuditor") in {(g.path, g.role) for g in access.grants if g.ugid == "web@pve"}
    assert access.users["switchyard@pve"].tokens["fleet"].secret == secret
    assert changed(site.role("proxmox_access")) == 0


def test_a_token_that_another_controller_uses_is_made_anew_only_when_asked(site: Site) -> None:
    site.role("proxmox_access")
    token = site.double.world.access.users["switchyard@pve"].tokens
    secret = token["fleet"].secret
    (site.pki / "proxmox.token").unlink()
    said = site.role("proxmox_access", check=False)
    assert "bring proxmox.token from the controller that has it" in said
    assert token["fleet"].secret == secret
    site.role("proxmox_access", proxmox_access_renew=True)
    assert token["fleet"].secret != secret
    assert token["fleet"].secret in (site.pki / "proxmox.token").read_text()


def test_a_run_cut_off_before_the_secret_was_kept_is_finished_by_the_next(site: Site) -> None:
    site.role("proxmox_access")
    token = site.double.world.access.users["switchyard@pve"].tokens["fleet"]
    token.comment = "being made: its secret may not have been kept"
    (site.pki / "proxmox.token").unlink()
    site.role("proxmox_access")
    made = site.double.world.access.users["switchyard@pve"].tokens["fleet"]
    assert made.secret in (site.pki / "proxmox.token").read_text() and "kept by" in made.comment


def test_another_certificate_is_refused_until_it_is_accepted(site: Site) -> None:
    site.role("proxmox_access", hosts="nodes")
    assert (site.pki / "nodes" / "pve2.crt").read_text() == site.pem
    known = site.pki / "nodes" / "pve1.crt"
    known.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    said = site.role("proxmox_access", check=False)
    assert "pve1 shows another certificate" in said and "node_accept_certificate" in said
    assert "AAAA" in known.read_text()
    site.role("proxmox_access", node_accept_certificate=True)
    assert known.read_text() == site.pem
