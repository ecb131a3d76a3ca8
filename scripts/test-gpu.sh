#!/usr/bin/env bash
# Owns the test of a GPU: builds two studies twice each and compares their Report IDs, verifies each bundle on the GPU
# and on the CPU, and says how far the two are apart; trains every kind of layer, optimizer and schedule with steps recorded
# as CUDA graphs and with each operator launched on its own, and compares their bits. See docs/reproducibility.md.
#   DEVICE   cuda (default) or cuda:N
#   STUDIES  default "tests/fixtures/portable.yaml reports/quick.yaml"
#   OUT      a folder to keep bundles and outputs in
# Exit code 0: equal, and verified. 1: a difference. 2: could not be run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=target/release/mnist-report
trainer=target/release/examples/bench_training
device=${DEVICE:-cuda}
read -ra studies <<<"${STUDIES:-tests/fixtures/portable.yaml reports/quick.yaml}"

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

for needed in "$program" "$trainer"; do
    [[ -x $needed ]] || fail "$needed is missing: start this test with \`make test-gpu\`"
done
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
different=0

say() {
    printf '%s\n' "$*" | tee -a "$out/test-gpu.txt"
}

# verified NAME DEVICE ARGUMENTS...: a line a rung, and whether all that were asked for hold.
verified() {
    local name=$1 on=$2 rc=0
    shift 2
    "$program" verify "$out/$name" --device "$on" "$@" >"$out/$name-verified-on-${on/:/}.txt" 2>&1 || rc=$?
    sed "s/^/  $on: /" "$out/$name-verified-on-${on/:/}.txt" | tee -a "$out/test-gpu.txt"
    [[ $rc -eq 0 ]] || different=1
}

# trained FILE ARGUMENTS...: a network's final state and what was recorded; the seconds stay in the file.
trained() {
    local file=$out/$1
    shift
    DEVICE=$device "$trainer" "$@" >"$file" 2>&1 && grep -o '"state":.*' "$file"
}

# compared FILE RUN: whether a run's steps were recorded, and end with the bits of single operators.
compared() {
    local name recorded plain
    name=$(basename "$1" .yaml)-$2
    if ! recorded=$(trained "$name-recorded.json" "$1" "$2") || ! plain=$(trained "$name-plain.json" "$1" "$2" --each-operator); then
        different=1
        say "$name cannot be trained on $device: $(grep -him 1 error "$out/$name"-{recorded,plain}.json 2>/dev/null)"
        return
    fi
    say "$name, with steps recorded: ${recorded#*,}"
    if [[ ${recorded%%,*} != "${plain%%,*}" ]]; then
        different=1
        say "$name: recorded steps give OTHER bits than single operators"
    fi
    # A step that could not be recorded is right, but slow.
    [[ $recorded == *'"refused":null'* && $recorded != *'"kinds":0'* ]] || different=1
}

for study in "${studies[@]}"; do
    name=$(basename "$study" .yaml)
    for build in first second; do
        start=$SECONDS
        if ! "$program" build "$study" --device "$device" --fresh --quiet --out "$out/$name-$build" >"$out/$name-$build.txt" 2>&1; then
            different=1
            say "$study cannot be built on $device: $(tail -n 1 "$out/$name-$build.txt")"
            continue 2
        fi
        say "$name, $build build: $(tail -n 1 "$out/$name-$build.txt"), $((SECONDS - start)) s"
    done
    if cmp -s "$out/$name-first/SHA256SUMS" "$out/$name-second/SHA256SUMS"; then
        say "$name: both builds have one Report ID"
    else
        different=1
        say "$name: the builds DIFFER"
        "$program" diff "$out/$name-first" "$out/$name-second" | tee -a "$out/test-gpu.txt" || true
    fi
    verified "$name-first" "$device"
    verified "$name-first" cpu
done
for run in baseline slim slim-bn; do
    compared benches/study.yaml "$run"
done
# Every kind of layer, optimizer and schedule, in steps enough to be worth recording.
sed -E 's/epochs: [12]\b/epochs: 40/' tests/fixtures/portable.yaml >"$out/long.yaml"
for run in $(sed -n '/^runs:/,$ s/^  ([a-z-]+):.*/\1/p' -E "$out/long.yaml"); do
    compared "$out/long.yaml" "$run"
done
exit "$different"
