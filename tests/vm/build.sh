#!/bin/sh
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build what a machine with a kernel of its own boots from: build.sh DIRECTORY
#
# DIRECTORY appears whole, with linux, initrd and layer/, or not at all.
#
# The kernel is Debian's User Mode Linux: the same sources as its other kernels, DRBD's module among them, as a program that
# runs at this machine's speed. The machine's files are this machine's own, read-only; above them is layer/ (the kernel's
# modules, and packages that are not installed here, unpacked and not installed), and above that a layer in memory. So
# nothing is changed here, and there is no disk image to make.
set -eu
umask 022
target=$1
here=$(cd "$(dirname "$0")" && pwd)
[ ! -e "$target" ] || exit 0
mkdir -p "${target%/*}"
work=$(mktemp -d "${target%/*}/building-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$work"

packages='drbd-utils pacemaker-cli-utils rsync e2fsprogs iproute2 util-linux python3-urllib3'
# shellcheck disable=SC2086
lacking=$(apt-get install --simulate --no-install-recommends $packages | awk '$1 == "Inst" {print $2}')
mkdir "$work/debs" "$work/layer" "$work/image"
# A container's image may lack kmod's files, whatever its package list says.
# shellcheck disable=SC2086
(cd "$work/debs" && apt-get download -qq -o APT::Sandbox::User=root $lacking user-mode-linux kmod libkmod2)
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/layer"; done
# Where /lib and its kin are links, a directory of that name in a layer above would hide all there is.
for folder in bin sbin lib lib64; do
    [ -d "$work/layer/$folder" ] || continue
    mkdir -p "$work/layer/usr/$folder"
    cp -a "$work/layer/$folder/." "$work/layer/usr/$folder/"
    rm -r "$work/layer/$folder"
done
mv "$work/layer/usr/lib/uml/modules" "$work/layer/usr/lib/modules"
mv "$work/layer/usr/bin/linux.uml" "$work/image/linux"

# The initrd only has to reach the files: one static program, and the module for overlays.
mkdir -p "$work/initrd/bin"
cp "$(command -v busybox)" "$work/initrd/bin/busybox"
cp "$here/inside/init" "$work/initrd/init"
cp "$work"/layer/usr/lib/modules/*/kernel/fs/overlayfs/overlay.ko "$work/initrd/"
(cd "$work/initrd" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/image/initrd"
mv "$work/layer" "$work/image/layer"
mv "$work/image" "$target"
