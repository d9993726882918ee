#!/usr/bin/env bash
# Servers in step, by DRBD, on machines with a kernel of their own: User Mode Linux, which wants neither KVM nor a module of
# this machine's kernel. Builds what they boot from, once, then runs tests/vm. Arguments go to pytest.
set -euo pipefail
export SWITCHYARD_VM_BASE=${SWITCHYARD_VM_BASE:-/var/cache/switchyard/vm}

skip() {
  echo "skipped: $1"
  exit 0
}

[[ $(uname -m) == x86_64 ]] || skip "Debian has User Mode Linux for x86_64 only, and this is $(uname -m)"
command -v apt-get >/dev/null || skip "User Mode Linux comes from Debian's apt, and this machine has none"
if [[ ! -e $SWITCHYARD_VM_BASE ]]; then
  # A fresh machine has no lists yet.
  apt-cache show user-mode-linux >/dev/null 2>&1 || apt-get update -qq
  apt-cache show user-mode-linux >/dev/null 2>&1 || skip "this distribution has no package user-mode-linux (Debian has)"
  command -v busybox >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends busybox-static >/dev/null
  echo "== a kernel with DRBD, and what is not installed here, unpacked in $SWITCHYARD_VM_BASE; nothing is installed"
  sh tests/vm/build.sh "$SWITCHYARD_VM_BASE"
fi
"$SWITCHYARD_VM_BASE/linux" --version >/dev/null 2>&1 || skip "User Mode Linux does not run on this machine"
# A processor may have more registers (AMX, say) than this kernel has room for: its first program dies of signal 11.
trial=("$SWITCHYARD_VM_BASE/linux" mem=64M "initrd=$SWITCHYARD_VM_BASE/initrd" rdinit=/bin/busybox panic=-1 con=null con0=null,fd:1)
if { timeout 60 "${trial[@]}" -- true 2>&1 </dev/null || true; } 2>/dev/null | grep -aq "exitcode=0x0000000b"; then
  skip "the kernel of User Mode Linux runs no program on this processor: it does not know all of its registers"
fi
exec "$BIN/pytest" -v tests/vm "$@"
