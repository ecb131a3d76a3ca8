#!/usr/bin/env bash
# Owns the way to the tests in a browser (tests/browser): installs what they need, builds small bundles, in both
# languages, and shows their reports to headless Chromium. Usage: scripts/test-browser.sh [BUNDLE...]; with bundles
# named, those instead.
#   CHROMIUM   the browser; without it chromium or google-chrome, which is installed where this runs as root
# Exit code 0: all pass. 1: a test fails. 2: could not be run.
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
[[ ${major:-0} -ge 20 ]] || fail "Node.js 20 or newer is missing; install it"
command -v npm >/dev/null || fail "npm is missing; install it with Node.js"
[[ -z ${CHROMIUM:-} || -x $CHROMIUM ]] || fail "$CHROMIUM is no browser"
browser=$(find_browser)
if [[ -z $browser ]]; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
            fail "apt-get cannot install chromium: install it and start again"
    else
        fail "Chromium is missing; install it (Debian: apt-get install chromium), or name one with CHROMIUM"
    fi
    browser=$(find_browser)
fi
[[ -n $browser ]] || fail "Chromium was installed, but is not found"

modules=tests/browser/node_modules
if ! cmp -s tests/browser/package-lock.json "$modules/installed"; then
    (cd tests/browser && npm ci --silent --no-audit --no-fund --ignore-scripts --omit=optional) ||
        fail "npm could not install the browser's driver: check the network and npm's settings, then try again"
    cp tests/browser/package-lock.json "$modules/installed" # last: without it the install was not whole
fi

bundles=("$@")
if [[ ${#bundles[@]} -eq 0 ]]; then
    [[ -x $program ]] || fail "$program is missing: start this test with \`make test-browser\`"
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    # Every kind of section, and the least study that there can be.
    cat >"$out/least.yaml" <<'YAML'
title: The least study
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
    "$program" build --device cpu --quiet --out "$out/tiny" tests/fixtures/tiny.yaml >/dev/null || fail "no bundle could be built"
    "$program" build --device cpu --quiet --out "$out/least" "$out/least.yaml" >/dev/null || fail "no bundle could be built"
    cp -r "$out/tiny" "$out/tiny-uk"
    "$program" render --lang uk "$out/tiny-uk" >/dev/null || fail "no report could be rendered in Ukrainian"
    bundles=("$out/tiny" "$out/tiny-uk" "$out/least")
fi

absolute=$(for bundle in "${bundles[@]}"; do realpath -- "$bundle"; done | paste -sd :)
cd tests/browser
BUNDLES=$absolute CHROMIUM=$browser node --test --test-reporter=spec report.test.mjs
