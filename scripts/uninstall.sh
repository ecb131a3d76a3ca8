#!/usr/bin/env bash
# Removes what scripts/install.sh installed below PREFIX. Run caches and bundles stay.
set -euo pipefail

prefix=${DESTDIR:-}${PREFIX-$HOME/.local}
share=$prefix/share
rm -f "$prefix/bin/"mnist-report{,-check} "$share/man/man1/"mnist-report{,-*}.1
rm -f "$share/bash-completion/completions/mnist-report" "$share/zsh/site-functions/_mnist-report" \
    "$share/fish/vendor_completions.d/mnist-report.fish"
rm -rf "$share/mnist-report/reports" "$share/mnist-report-check" "$share/doc/mnist-report"
rmdir "$share/mnist-report" 2>/dev/null || true # unless it has files of the user, such as MNIST
# Folders that are empty now, as in a PREFIX of its own.
for folder in share/{doc,man/man1,man,bash-completion/completions,bash-completion,zsh/site-functions,zsh} \
    share/{fish/vendor_completions.d,fish,} bin; do
    rmdir "$prefix/$folder" 2>/dev/null || true
done
echo "removed mnist-report from $prefix"
