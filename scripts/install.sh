#!/usr/bin/env bash
# Installs the program that `make verifier` built below PREFIX, with check.py, the shipped studies, manual pages and
# completions. The program itself contains MNIST and the studies, so it works from anywhere and can be copied. PROGRAM
# selects another program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=${DESTDIR:-}${PREFIX-$HOME/.local}
program=${PROGRAM:-target/release/mnist-report}
[[ -x $program ]] || {
    echo "error: $program is missing; run make verifier" >&2
    exit 1
}
install -d "$prefix/bin" "$prefix/share/man/man1"
install -m 755 "$program" "$prefix/bin/mnist-report"
# As scripts/wheel.sh: check.py finds the labels relative to its own path.
check=$prefix/share/mnist-report-check
install -d "$check/scripts" "$check/data/mnist"
install -m 755 scripts/wheel/mnist-report-check "$prefix/bin/mnist-report-check"
install -m 755 scripts/check.py "$check/scripts/check.py"
install -m 644 data/mnist/t10k-labels-idx1-ubyte.gz "$check/data/mnist/"
install -m 644 data/README.md "$check/data/"
# Use the installed program from here on, so that an installation that does not run is noticed at once.
"$prefix/bin/mnist-report" man "$prefix/share/man/man1" > /dev/null
rm -rf "$prefix/share/mnist-report/"{reports,labels} # files of an earlier version
install -d "$prefix/share/doc/mnist-report"
install -m 644 docs/*.md docs/study.schema.json "$prefix/share/doc/mnist-report/"
"$prefix/bin/mnist-report" studies "$prefix/share/mnist-report/reports" >/dev/null
while read -r shell file; do
    install -d "$(dirname "$prefix/share/$file")"
    "$prefix/bin/mnist-report" completions "$shell" >"$prefix/share/$file"
done <<'SHELLS'
bash bash-completion/completions/mnist-report
zsh zsh/site-functions/_mnist-report
fish fish/vendor_completions.d/mnist-report.fish
SHELLS
echo "$prefix/bin/mnist-report"
[[ -z ${DESTDIR:-} ]] || exit 0 # in a package, the notes would name the wrong folder
echo "completions: bash needs the package bash-completion; without it, add to ~/.bashrc: source \"$prefix/share/bash-completion/completions/mnist-report\""
echo "completions: zsh needs in ~/.zshrc, before compinit: fpath=(\"$prefix/share/zsh/site-functions\" \$fpath)"
case ":$PATH:" in *":$prefix/bin:"*) ;; *) echo "note: $prefix/bin is not in PATH: export PATH=\"$prefix/bin:\$PATH\"" ;; esac
