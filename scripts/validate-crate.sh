#!/usr/bin/env bash
# Validates the ro-crate-metadata.json of bundles with the RO-Crate validator and the profile that the crates name
# (Process Run Crate 0.5). Usage: scripts/validate-crate.sh BUNDLE... (folders), or only --install. The first run
# installs the validator from PyPI into target/validate-crate/. Later runs do not need the network. Exit code 0: all are
# valid. 1: one is not. 2: the check could not run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$here")
site=$root/target/validate-crate
pins=$here/validate-crate.txt
profile=process-run-crate-0.5

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

[[ $# -gt 0 ]] || fail "usage: scripts/validate-crate.sh BUNDLE..., such as scripts/validate-crate.sh reports/quick"
[[ $1 != --install ]] || shift

install() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        fail "python3 3.10 or newer is missing; install it (Debian, Ubuntu: apt-get install python3 python3-pip)"
    rm -rf "$site"
    mkdir -p "$root/target"
    # --no-deps: every dependency is pinned in the list; of rocrate, only one file is needed, without its dependencies.
    # The user may have configured pip to require a virtual environment, or to install elsewhere, which conflicts with
    # --target.
    PIP_ROOT_USER_ACTION=ignore PIP_REQUIRE_VIRTUALENV=0 python3 -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-user --prefix= --target "$site" -r "$pins" ||
        fail "pip cannot install the validator; check the network and pip's settings, then try again"
    # A crate names its JSON-LD context by URL, and the validator downloads it. Put the context into the validator's
    # cache, so that the check needs no network and the context cannot change.
    python3 -I - "$site" "$site/cache" <<'PY' || fail "cannot put the JSON-LD context into the validator's cache"
import importlib.util, json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from requests_cache import CachedResponse, CachedSession
from requests_cache.models import CachedRequest

url = "https://w3id.org/ro/crate/1.1/context"
package = pathlib.Path(importlib.util.find_spec("rocrate").origin).parent
text = (package / "data" / "ro-crate.jsonld").read_bytes()
if json.loads(text)["@id"] != url:
    sys.exit("rocrate has another context than " + url)
response = CachedResponse(status_code=200, url=url, request=CachedRequest(method="GET", url=url))
response._content = text
response.headers = {"Content-Type": "application/ld+json"}
CachedSession(cache_name=sys.argv[2], backend="sqlite", expire_after=-1).cache.save_response(response)
PY
    cp "$pins" "$site/stamp" # written last: it marks a complete install
}

cmp -s "$pins" "$site/stamp" || install

start='import sys; sys.path.insert(0, sys.argv.pop(1)); from rocrate_validator.cli import cli; sys.exit(cli())'
invalid=0
for bundle in "$@"; do
    [[ -f $bundle/ro-crate-metadata.json ]] || fail "$bundle has no ro-crate-metadata.json; give the folder of a bundle"
    rc=0
    out=$(python3 -I -c "$start" "$site" --no-interactive --disable-color validate --offline --cache-path "$site/cache" \
        --profile-identifier "$profile" --verbose --no-paging --output-format text "$bundle" 2>&1) || rc=$?
    case $rc in
        0) printf '%s: valid %s\n' "$bundle" "$profile" ;;
        1)
            invalid=1
            printf '%s\n%s: NOT valid %s\n' "$out" "$bundle" "$profile"
            ;;
        *) fail "the validator failed on $bundle: $(tail -n 3 <<<"$out")" ;;
    esac
done
exit "$invalid"
