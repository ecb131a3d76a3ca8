#!/usr/bin/env bash
# Owns the check of a bundle's ro-crate-metadata.json: runs the RO-Crate validator on bundles, with the profile that
# the crate claims (Process Run Crate 0.5). Usage: scripts/validate-crate.sh BUNDLE... (folders). The first run
# installs the validator into target/validate-crate/, from PyPI; after that no run needs the network. Exit 0: all
# valid; 1: one is not; 2: could not check.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$here")
venv=$root/target/validate-crate
pins=$here/validate-crate.txt
profile=process-run-crate-0.5

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

[[ $# -gt 0 ]] || fail "name the bundles to check: scripts/validate-crate.sh reports/NAME..."

install() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        fail "python3 3.10 or newer is missing; install it (Debian, Ubuntu: apt-get install python3 python3-venv)"
    rm -rf "$venv"
    mkdir -p "$root/target"
    python3 -m venv "$venv" 2>/dev/null ||
        fail "python3 cannot make a virtual environment; install python3-venv (Debian, Ubuntu: apt-get install python3-venv)"
    # Every dependency is pinned, so none is to be looked for; rocrate is wanted for one file, without its own.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps -r "$pins" ||
        fail "pip could not install the validator: check the network and pip's settings, then try again"
    # The crate names its JSON-LD context by URL, and the validator fetches that. Put into the validator's cache, it
    # is there without the network and cannot change.
    "$venv/bin/python" -I - "$venv/cache" <<'PY' || fail "cannot put the JSON-LD context into the validator's cache"
import importlib.util, json, pathlib, sys
from requests_cache import CachedResponse, CachedSession
from requests_cache.models import CachedRequest

url = "https://w3id.org/ro/crate/1.1/context"
package = pathlib.Path(importlib.util.find_spec("rocrate").origin).parent
text = (package / "data" / "ro-crate.jsonld").read_bytes()
if json.loads(text)["@id"] != url:
    sys.exit("rocrate carries another context than " + url)
response = CachedResponse(status_code=200, url=url, request=CachedRequest(method="GET", url=url))
response._content = text
response.headers = {"Content-Type": "application/ld+json"}
CachedSession(cache_name=sys.argv[1], backend="sqlite", expire_after=-1).cache.save_response(response)
PY
    cp "$pins" "$venv/stamp" # last: without it the install was not whole
}

cmp -s "$pins" "$venv/stamp" || install

# Not bin/rocrate-validator: its first line names the folder of the install, and fails once the repository has moved.
start='import sys; from rocrate_validator.cli import cli; sys.exit(cli())'
invalid=0
for bundle in "$@"; do
    [[ -f $bundle/ro-crate-metadata.json ]] || fail "$bundle has no ro-crate-metadata.json: name the folder of a bundle"
    rc=0
    out=$("$venv/bin/python" -I -c "$start" --no-interactive --disable-color validate --offline --cache-path "$venv/cache" \
        --profile-identifier "$profile" --verbose --no-paging --output-format text "$bundle" 2>&1) || rc=$?
    case $rc in
        0) printf '%s: a valid %s\n' "$bundle" "$profile" ;;
        1)
            invalid=1
            printf '%s\n%s: NOT a valid %s\n' "$out" "$bundle" "$profile"
            ;;
        *) fail "the validator failed on $bundle: $(tail -n 3 <<<"$out")" ;;
    esac
done
exit "$invalid"
