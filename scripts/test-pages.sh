#!/usr/bin/env bash
# Runs the steps of docs/pages.yml one by one in a new folder, without GitHub's actions, with the wheel of `make wheel`,
# and checks the page that would be published. Lints the workflow if a linter is installed. STUDY selects another study
# than the workflow's, WHEEL another wheel.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wheel=$(realpath -e "${WHEEL:-$(ls target/wheels/mnist_report-*.whl)}") || {
    echo "error: no wheel; run make wheel" >&2
    exit 1
}
workflow=$PWD/docs/pages.yml
linted=
if command -v actionlint >/dev/null; then
    linted=yes && actionlint "$workflow"
fi
if command -v check-jsonschema >/dev/null; then
    linted=yes && check-jsonschema --builtin-schema vendor.github-workflows "$workflow"
fi
[[ $linted ]] || echo "note: the workflow is not linted: neither actionlint nor check-jsonschema is installed (pip install check-jsonschema)"
home=$(mktemp -d "${TMPDIR:-/tmp}/test-pages.XXXXXX")
trap 'rm -rf "$home"' EXIT
study=$(sed -n 's/^  STUDY: \([^ ]*\).*/\1/p' "$workflow")
[[ $study ]] || {
    echo "error: $workflow sets no STUDY" >&2
    exit 1
}
if [[ ${STUDY:-} ]]; then
    # With the studies beside it, which it may extend.
    study=study/$(basename "$STUDY")
    mkdir "$home/study"
    cp "$(dirname "$STUDY")"/*.yaml "$home/study/"
fi
# The scripts of the steps, as the workflow states them.
"${PYTHON:-python3}" - "$workflow" "$home" <<'PY'
import pathlib, re, sys
workflow, home = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2])
steps = re.findall(r"^ +(?:- )?run: (?:\|\n((?: {10}.*\n)+)|(.+)\n)", workflow, re.M)
assert len(steps) == len(re.findall(r"\brun: ", workflow)) > 3, "a step that this script does not read"
for number, (block, line) in enumerate(steps):
    (home / f"step{number}.sh").write_text(re.sub("^ {10}", "", block, flags=re.M) or line)
PY
cd "$home"
export MNIST_REPORT_CACHE=$home/cache # otherwise runs that this machine has already trained would not be trained again
for step in step*.sh; do
    echo "== $step"
    STUDY=$study WHEEL=$wheel bash -e "$step"
done
cmp page/index.html report/report.html
venv/bin/mnist-report verify --upto metrics page/report.zip >/dev/null
echo "the page of $study: $(find page -type f | wc -l) files"
