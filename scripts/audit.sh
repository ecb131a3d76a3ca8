#!/usr/bin/env bash
# Checks licences, sources and duplicates of the dependencies with cargo-deny (deny.toml), offline. Checks advisories if
# their database has been downloaded (`cargo deny fetch`). Exit code 0: all pass. 1: a check fails. 2: no cargo-deny.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo deny --version >/dev/null 2>&1 || {
    echo "error: cargo-deny is missing; install it: cargo install cargo-deny --locked" >&2
    exit 2
}
checks=(licenses bans sources)
if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*/crates" >/dev/null; then
    checks+=(advisories)
else
    echo "advisories: skipped, their database is not on this machine (cargo deny fetch)"
fi
exec cargo deny --offline check "${checks[@]}"
