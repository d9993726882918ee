#!/usr/bin/env bash
# The documentation site, from docs/ and from the plugins' own documentation, into docs/build/html. A warning is an error.
set -euo pipefail
source=.cache/docs/source
rm -rf .cache/docs docs/build
mkdir -p "$source/collections"
cp docs/*.md docs/*.json "$source"
python tests/tools/inventory_reference.py "$source/inventory.md"
echo "== pages of the plugins (antsibull-docs)"
ANSIBLE_COLLECTIONS_PATH=$PWD/.collections antsibull-docs collection --use-current --no-indexes --fail-on-error \
  --dest-dir "$source" switchyard.fleet >.cache/docs/antsibull.log || { cat .cache/docs/antsibull.log; exit 1; }
cat >"$source/collections/index.md" <<'END'
# Modules, plugins and roles

```{toctree}
switchyard/fleet/index
```
END
echo "== the site (sphinx)"
sphinx-build -q -W --keep-going -c docs -b html "$source" docs/build/html
echo "docs/build/html/index.html"
