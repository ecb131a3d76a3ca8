#!/usr/bin/env bash
# Tests a GPU. Builds two studies twice on the GPU and once on the CPU: all three Report IDs must be equal. Verifies
# each bundle on both. Then repeats this with libtorch on the GPU, if its CUDA libraries are installed: two builds must
# have the same Report ID, and pass verification on the GPU and, within tolerances, on the CPU. Finally trains every
# kind of layer, optimizer and schedule with steps recorded as CUDA graphs and with operators launched one by one: the
# bits must be equal. See docs/reproducibility.md.
#   DEVICE   cuda (default) or cuda:N
#   STUDIES  by default "src/arithmetic/portable.yaml reports/quick.yaml"
#   OUT      a folder in which to keep bundles and outputs; by default a temporary folder
# Exit code 0: everything is equal and verified. 1: something differs. 2: the test could not run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=target/release/mnist-report
trainer=target/release/examples/bench_training
device=${DEVICE:-cuda}
read -ra studies <<<"${STUDIES:-src/arithmetic/portable.yaml reports/quick.yaml}"

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

[[ -x $program ]] || fail "$program is missing; run \`make test-gpu\`"
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
different=0

say() {
    printf '%s\n' "$*" | tee -a "$out/test-gpu.txt"
}

# built STUDY FOLDER DEVICE: builds a bundle, and prints the program's notes about the device.
built() {
    local start=$SECONDS text=$out/$2.txt
    if ! "$program" build "$1" --device "$3" --fresh --out "$out/$2" >"$text" 2>&1; then
        different=1
        say "cannot build $1 on $3: $(tail -n 1 "$text")"
        return 1
    fi
    say "$2: $(grep -o 'training.* on .*; about' "$text" | head -n 1 | sed 's/.* on //; s/; about//'), $(tail -n 1 "$text"), $((SECONDS - start)) s"
}

# equal FOLDER FOLDER: compares the Report IDs of two bundles.
equal() {
    if cmp -s "$out/$1/SHA256SUMS" "$out/$2/SHA256SUMS"; then
        say "$1 and $2: the same Report ID"
    else
        different=1
        say "$1 and $2 DIFFER"
        "$program" diff "$out/$1" "$out/$2" 2>&1 | tee -a "$out/test-gpu.txt" || true
    fi
}

# verified FOLDER DEVICE: verifies a bundle, and prints each rung.
verified() {
    local text=$out/$1-verified-on-${2/:/}.txt rc=0
    "$program" verify "$out/$1" --device "$2" >"$text" 2>&1 || rc=$?
    sed "s/^/  $2: /" "$text" | tee -a "$out/test-gpu.txt"
    [[ $rc -eq 0 ]] || different=1
}

# trained FILE ARGUMENTS...: trains a network with libtorch. Prints the digest of its final state and the statistics of
# recorded steps.
trained() {
    local file=$out/$1
    shift
    DEVICE=$device "$trainer" "$@" --libtorch >"$file" 2>&1 && grep -o '"state":.*' "$file"
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
    # If a step cannot be recorded, the results are right, but training is slow.
    [[ $recorded == *'"refused":null'* && $recorded != *'"kinds":0'* ]] || different=1
}

for study in "${studies[@]}"; do
    name=$(basename "$study" .yaml)
    built "$study" "$name-gpu" "$device" || continue
    built "$study" "$name-gpu-again" "$device" && equal "$name-gpu" "$name-gpu-again"
    built "$study" "$name-cpu" cpu && equal "$name-gpu" "$name-cpu"
    verified "$name-gpu" "$device"
    verified "$name-gpu" cpu
done

export MNIST_REPORT_GPU=libtorch
if [[ ! -x $program-libtorch || ! -x $trainer ]] || ! "$program" build "${studies[0]}" --device "$device" --fresh --quiet --out "$out/probe" >"$out/probe.txt" 2>&1; then
    say "libtorch on $device is not tested: $(tail -n 1 "$out/probe.txt" 2>/dev/null || echo "$program-libtorch is missing")"
    exit "$different"
fi
for study in "${studies[@]}"; do
    name=$(basename "$study" .yaml)
    built "$study" "$name-libtorch" "$device" || continue
    built "$study" "$name-libtorch-again" "$device" && equal "$name-libtorch" "$name-libtorch-again"
    verified "$name-libtorch" "$device"
    verified "$name-libtorch" cpu
done
for run in baseline slim slim-bn; do
    compared benches/study.yaml "$run"
done
# Every kind of layer, optimizer and schedule, with enough steps to be recorded.
sed -E 's/epochs: [12]\b/epochs: 40/' src/arithmetic/portable.yaml >"$out/long.yaml"
for run in $(sed -n '/^runs:/,$ s/^  ([a-z-]+):.*/\1/p' -E "$out/long.yaml"); do
    compared "$out/long.yaml" "$run"
done
exit "$different"
