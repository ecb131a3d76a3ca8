#!/usr/bin/env bash
# Owns the way from a bundle to a PDF: prints its report.html with an installed Chromium, on A4 as the page's own print
# style has it, with the structure that screen readers use. Usage: scripts/pdf.sh BUNDLE [FILE.pdf]
#   CHROMIUM   the browser; without it chromium or google-chrome
# The PDF is no part of the bundle: it lies beside it, and what proves the report is the bundle.
# Exit code 0: done. 2: it could not be.
set -euo pipefail

# shellcheck source=scripts/browser.sh
source "$(dirname "${BASH_SOURCE[0]}")/browser.sh"

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

[[ $# -ge 1 && $# -le 2 ]] || fail "name a bundle: scripts/pdf.sh reports/quick [FILE.pdf]"
bundle=${1%/}
[[ -f $bundle/report.html ]] || fail "$bundle has no report.html: build it first (make report)"
page=$(realpath -- "$bundle/report.html")
pdf=${2:-$(dirname -- "$(dirname -- "$page")")/$(basename -- "$(dirname -- "$page")").pdf}
browser=$(find_browser)
[[ -n $browser ]] || fail "no Chromium here: open $bundle/report.html in any browser and print it to a PDF (A4, without" \
    "the browser's own header and footer), or install one (Debian: apt-get install chromium), or name one with CHROMIUM"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As root, as in most containers, Chromium has no sandbox; the page holds no script and asks for nothing.
options=(--headless --disable-gpu --no-first-run --user-data-dir="$work/profile" --no-pdf-header-footer
    --generate-pdf-document-outline)
[[ $(id -u) != 0 ]] || options+=(--no-sandbox)
# A name of its own: in a file's address, `#` and `?` would end the path.
cp -- "$page" "$work/report.html"
"$browser" "${options[@]}" --print-to-pdf="$work/report.pdf" "file://$work/report.html" >"$work/said" 2>&1 ||
    fail "$browser could not print: $(tail -n 1 "$work/said")"
[[ -s $work/report.pdf ]] || fail "$browser printed nothing: $(tail -n 1 "$work/said")"
mv -- "$work/report.pdf" "$pdf" || fail "$pdf could not be written"
printf '%s\n' "$pdf"
