#!/usr/bin/env bash
# ansible-test sanity, on a copy of the tracked files: it insists on a path that ends in the collection's name.
set -euo pipefail
copy=.cache/ansible_collections/switchyard/fleet
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
# What ansible-test would download, unless it is there.
requirements=$("$BIN/python" -c 'import ansible_test, pathlib; print(pathlib.Path(ansible_test.__file__).parent)')/_internal
pip=$(sed -n "s/.*pip='\([0-9.]*\)'.*/\1/p" "$requirements/python_requirements.py" | head -n 1)
bootstrap=$HOME/.ansible/test/cache/get_pip_${pip//./_}.py
[ -e "$bootstrap" ] || install -D -m 0644 tests/tools/get_pip.py "$bootstrap"

cd "$copy"
git init -q && git add -A
# With the interpreter at hand: tests that ask for every version of Python need every version installed.
python=$("$BIN/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
PATH="$BIN:$PATH" "$BIN/ansible-test" sanity --color no --python "$python" "$@"
