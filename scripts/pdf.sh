#!/usr/bin/env bash
# Prints a bundle's report.html to a tagged PDF (A4) with an installed Chromium. By default, the PDF is written beside
# the bundle. It is not part of the bundle and proves nothing; the bundle does. Usage: scripts/pdf.sh BUNDLE [FILE.pdf]
#   CHROMIUM   the browser; by default chromium or google-chrome
# Exit code 0: printed. 2: not printed.
set -euo pipefail

# shellcheck source=scripts/browser.sh
source "$(dirname "${BASH_SOURCE[0]}")/browser.sh"

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

[[ $# -ge 1 && $# -le 2 ]] || fail "usage: scripts/pdf.sh BUNDLE [FILE.pdf], such as scripts/pdf.sh reports/quick [FILE.pdf]"
bundle=${1%/}
[[ -f $bundle/report.html ]] || fail "$bundle has no report.html; build it first (make report)"
page=$(realpath -- "$bundle/report.html")
pdf=${2:-$(dirname -- "$(dirname -- "$page")")/$(basename -- "$(dirname -- "$page")").pdf}
browser=$(find_browser)
[[ -n $browser ]] || fail "no Chromium here: open $bundle/report.html in any browser and print it to a PDF (A4, without" \
    "the browser's header and footer), or install Chromium (Debian: apt-get install chromium), or set CHROMIUM to its path"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Chromium's sandbox does not work for root (as in most containers). The page has no script and requests nothing.
options=(--headless --disable-gpu --no-first-run --user-data-dir="$work/profile" --no-pdf-header-footer
    --generate-pdf-document-outline)
[[ $(id -u) != 0 ]] || options+=(--no-sandbox)
# Copy the page to a plain path: in a file URL, `#` or `?` would end the path.
cp -- "$page" "$work/report.html"
"$browser" "${options[@]}" --print-to-pdf="$work/report.pdf" "file://$work/report.html" >"$work/output" 2>&1 ||
    fail "$browser failed: $(tail -n 1 "$work/output")"
[[ -s $work/report.pdf ]] || fail "$browser printed nothing: $(tail -n 1 "$work/output")"
mv -- "$work/report.pdf" "$pdf" || fail "cannot write $pdf"
printf '%s\n' "$pdf"
