#!/bin/sh
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the image of the lab's nodes: build-image.sh DIRECTORY DEFINITION PACKAGES SOURCE
#
# DIRECTORY   appears whole, with rootfs.tar and metadata.tar.gz, or not at all
# DEFINITION  file with the JSON of apt_sources.py: this machine's release, mirrors, keyring and apt options
# PACKAGES    what a node has from the start, separated by commas
# SOURCE      directory with metadata.yaml, templates/ and overlay/ (laid over the root file system)
set -eu

# One build at a time, in a mount name space of its own: nothing stays mounted, however it ends.
if [ "${1:-}" != --locked ]; then
    mkdir -p "${1%/*}"
    exec flock "${1%/*}" unshare --mount --propagation private sh "$0" --locked "$@"
fi
shift
target=$1 definition=$2 packages=$3 source=$4

[ ! -e "$target" ] || exit 0
rm -rf "${target%/*}"/building.*
work=$(mktemp -d "${target%/*}/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP

value() {
    python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))[sys.argv[2]]
print("\n".join(value) if isinstance(value, list) else value)' "$definition" "$1"
}

mkdir "$work/tmp" "$work/image"
keyring=$(value keyring)
value sources >"$work/sources.list"
value options >"$work/apt.conf"
set --
if [ -n "$keyring" ]; then
    set -- --keyring="$keyring" \
        --customize-hook="[ -e \"\$1$keyring\" ] || install -D -m 644 '$keyring' \"\$1$keyring\""
fi
# No file is synced one by one: an image whose build is interrupted is thrown away anyhow. The package
# lists stay, so that a new node need not begin with fetching them.
TMPDIR=$work/tmp mmdebstrap --mode=root --variant=minbase --format=tar --include="$packages" \
    --aptopt="$work/apt.conf" --aptopt='Acquire::Languages "none"' --skip=cleanup/apt/lists \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' "$@" \
    --customize-hook="cp -a --no-preserve=ownership '$source/overlay/.' \"\$1/\"" \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*_key* "$1/var/lib/dbus/machine-id"; : >"$1/etc/machine-id"' \
    --customize-hook='mkdir -p -m 700 "$1/root/.ssh"' \
    --customize-hook='chroot "$1" systemctl --quiet enable ssh.service switchyard-hostkeys.service' \
    "$(value release)" "$work/image/rootfs.tar" "$work/sources.list"
tar -C "$source" -czf "$work/image/metadata.tar.gz" metadata.yaml templates
mv "$work/image" "$target"
