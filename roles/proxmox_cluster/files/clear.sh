#!/bin/sh
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A node that was half joined is on its own again: clear.sh ROOT. As the manual has it ("Separate a node without
# reinstalling"), for a node without guests.
set -eu
root=${1%/}

systemctl stop pve-cluster corosync
# Apart from the cluster, whose file system is read-only without a quorum.
pmxcfs -l
rm -f "$root/etc/pve/corosync.conf"
rm -rf "$root"/etc/corosync/* "$root"/var/lib/corosync/*
killall pmxcfs
# It lets go of its mount before the next one is begun.
for _second in 1 2 3 4 5 6 7 8 9 10; do
    pidof pmxcfs >/dev/null || break
    sleep 1
done
systemctl start pve-cluster
