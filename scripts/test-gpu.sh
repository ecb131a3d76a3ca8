#!/usr/bin/env bash
# Tests a GPU. Builds two studies twice each and compares the Report IDs of both builds; verifies each bundle on the GPU and
# on the CPU, which shows how far their results differ; trains every kind of layer, optimizer and schedule with steps
# recorded as CUDA graphs and with operators launched one by one, and compares the bits. On a GPU, mnist-report starts
# mnist-report-libtorch. See docs/reproducibility.md.
#   DEVICE   cuda (default) or cuda:N
#   STUDIES  by default "tests/fixtures/portable.yaml reports/quick.yaml"
#   OUT      a folder in which to keep bundles and outputs; by default a temporary folder
# Exit code 0: everything is equal and verified. 1: something differs. 2: the test could not run.
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

for needed in "$program" "$program-libtorch" "$trainer"; do
    [[ -x $needed ]] || fail "$needed is missing; run \`make test-gpu\`"
done
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
different=0

say() {
    printf '%s\n' "$*" | tee -a "$out/test-gpu.txt"
}

# verified NAME DEVICE ARGUMENTS...: verifies a bundle and prints the result of each rung.
verified() {
    local name=$1 on=$2 rc=0
    shift 2
    "$program" verify "$out/$name" --device "$on" "$@" >"$out/$name-verified-on-${on/:/}.txt" 2>&1 || rc=$?
    sed "s/^/  $on: /" "$out/$name-verified-on-${on/:/}.txt" | tee -a "$out/test-gpu.txt"
    [[ $rc -eq 0 ]] || different=1
}

# trained FILE ARGUMENTS...: trains a network; prints the digest of its final state and what was recorded. FILE has all output.
trained() {
    local file=$out/$1
    shift
    DEVICE=$device "$trainer" "$@" >"$file" 2>&1 && grep -o '"state":.*' "$file"
}

# compared STUDY RUN: checks that a run's steps are recorded and give the same bits as operators launched one by one.
compared() {
    local name recorded plain
    name=$(basename "$1" .yaml)-$2
    if ! recorded=$(trained "$name-recorded.json" "$1" "$2") || ! plain=$(trained "$name-plain.json" "$1" "$2" --each-operator); then
        different=1
        say "$name: cannot train on $device: $(grep -him 1 error "$out/$name"-{recorded,plain}.json 2>/dev/null)"
        return
    fi
    say "$name, with steps recorded: ${recorded#*,}"
    if [[ ${recorded%%,*} != "${plain%%,*}" ]]; then
        different=1
        say "$name: recorded steps give OTHER bits than operators launched one by one"
    fi
    # If a step cannot be recorded, results are right, but training is slow.
    [[ $recorded == *'"refused":null'* && $recorded != *'"kinds":0'* ]] || different=1
}

for study in "${studies[@]}"; do
    name=$(basename "$study" .yaml)
    for build in first second; do
        start=$SECONDS
        if ! "$program" build "$study" --device "$device" --fresh --quiet --out "$out/$name-$build" >"$out/$name-$build.txt" 2>&1; then
            different=1
            say "cannot build $study on $device: $(tail -n 1 "$out/$name-$build.txt")"
            continue 2
        fi
        say "$name, $build build: $(tail -n 1 "$out/$name-$build.txt"), $((SECONDS - start)) s"
    done
    if cmp -s "$out/$name-first/SHA256SUMS" "$out/$name-second/SHA256SUMS"; then
        say "$name: both builds have the same Report ID"
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
# Every kind of layer, optimizer and schedule, with enough steps to be recorded.
sed -E 's/epochs: [12]\b/epochs: 40/' tests/fixtures/portable.yaml >"$out/long.yaml"
for run in $(sed -n '/^runs:/,$ s/^  ([a-z-]+):.*/\1/p' -E "$out/long.yaml"); do
    compared "$out/long.yaml" "$run"
done
exit "$different"
