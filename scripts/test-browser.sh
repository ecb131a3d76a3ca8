#!/usr/bin/env bash
# Runs the browser tests (tests/browser): installs what they need, builds small bundles in both languages and opens
# their reports in headless Chromium. Usage: scripts/test-browser.sh [BUNDLE...]; with arguments, tests those bundles
# instead.
#   CHROMIUM   the browser; by default chromium or google-chrome. Chromium is installed if none is found and the user is root.
# Exit code 0: all tests pass. 1: a test fails. 2: the tests could not run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=target/release/mnist-report
# shellcheck source=scripts/browser.sh
source scripts/browser.sh

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
[[ ${major:-0} -ge 20 ]] || fail "Node.js 20 or newer is needed; install it"
command -v npm >/dev/null || fail "npm is missing; install it with Node.js"
[[ -z ${CHROMIUM:-} || -x $CHROMIUM ]] || fail "CHROMIUM=$CHROMIUM is not an executable file"
browser=$(find_browser)
if [[ -z $browser ]]; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
            fail "apt-get cannot install chromium; install it and try again"
    else
        fail "Chromium is missing; install it (Debian: apt-get install chromium), or set CHROMIUM to its path"
    fi
    browser=$(find_browser)
fi
[[ -n $browser ]] || fail "Chromium was installed, but is not found"

modules=tests/browser/node_modules
if ! cmp -s tests/browser/package-lock.json "$modules/installed"; then
    (cd tests/browser && npm ci --silent --no-audit --no-fund --ignore-scripts --omit=optional) ||
        fail "npm cannot install the test's packages; check the network and npm's settings, then try again"
    cp tests/browser/package-lock.json "$modules/installed" # written last: it marks a complete install
fi

bundles=("$@")
if [[ ${#bundles[@]} -eq 0 ]]; then
    [[ -x $program ]] || fail "$program is missing; run \`make test-browser\`"
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    # tiny.yaml has every kind of section, many.yaml many runs with long titles; least.yaml is the smallest possible study.
    cat >"$out/least.yaml" <<'YAML'
title: The smallest study
models: {only: {layers: [flatten, {linear: {out_features: 10}}]}}
runs:
  single:
    model: only
    train: {images: {first: 50}}
    epochs: 1
    batch_size: 50
    optimizer: {sgd: {lr: 0.1}}
    seeds: [1]
YAML
    "$program" build --device cpu --quiet --out "$out/tiny" tests/fixtures/tiny.yaml >/dev/null || fail "cannot build a bundle"
    "$program" build --device cpu --quiet --out "$out/many" tests/fixtures/many.yaml >/dev/null || fail "cannot build a bundle"
    "$program" build --device cpu --quiet --out "$out/least" "$out/least.yaml" >/dev/null || fail "cannot build a bundle"
    # The quick study has few images here, because its pages are tested, not its numbers.
    sed 's/random: 12000/random: 600/; s/epochs: [0-9]*/epochs: 2/' reports/quick.yaml >"$out/quick.yaml"
    sed 's/per_class: 200/per_class: 20/' reports/coursework.yaml >"$out/coursework.yaml" # quick.yaml extends it
    "$program" build --device cpu --quiet --out "$out/quick" "$out/quick.yaml" >/dev/null || fail "cannot build a bundle"
    cp -r "$out/tiny" "$out/tiny-uk"
    "$program" render --lang uk "$out/tiny-uk" >/dev/null || fail "cannot render a report in Ukrainian"
    # The published reports as this program renders them.
    cp -r reports/published/coursework reports/published/notes-audit "$out"
    cp -r reports/published/coursework "$out/coursework-uk"
    "$program" render "$out/coursework" >/dev/null && "$program" render "$out/notes-audit" >/dev/null &&
        "$program" render --lang uk,en "$out/coursework-uk" >/dev/null || fail "cannot render the published reports"
    bundles=("$out"/{tiny,tiny-uk,many,least,quick,coursework,coursework-uk,notes-audit})
fi

absolute=$(for bundle in "${bundles[@]}"; do realpath -- "$bundle"; done | paste -sd :)
cd tests/browser
BUNDLES=$absolute CHROMIUM=$browser node --test --test-reporter=spec report.test.mjs
