#!/usr/bin/env bash
# Make the virtual environment $1 with the interpreter $2, and install the requirements of file $3 into it.
set -euo pipefail
venv=$1 python=$2 requirements=$3

sudo=$([ "$(id -u)" = 0 ] || echo "sudo")

need() { # the Debian packages that are missing, with apt
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "== apt: ${missing[*]}"
  $sudo apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
    "${missing[@]}" >/dev/null
}

if ! [ -x "$venv/bin/pip" ]; then
  need python3
  "$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
  need openssh-client openssl ca-certificates
  echo "== python: $venv, from $("$python" --version)"
  "$python" -m venv "$venv"
fi
echo "== pip: $(grep -vE '^(#|$)' "$requirements" | paste -sd' ')"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
