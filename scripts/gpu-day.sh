#!/usr/bin/env bash
# Measures everything that needs a GPU, the most important first, on a machine that is available for a few minutes.
# Every step has a time limit and writes its results at once; a failing step does not stop the next one. Needs the files
# that `make build` and
#
#     cargo build --release --locked --example gpu_probe --example bench_training
#
# make; NVRTC; and for the comparisons a Python interpreter with torch 2.11.0, torchvision and safetensors. On a machine
# with at least 16 cores, the steps that need no GPU run on one half of the cores, at the same time as the others.
#   OUT      the folder for all results (default target/gpu-day)
#   DEVICE   cuda (default) or cuda:N; cpu rehearses the script with small studies
#   PYTHON   the interpreter (default python3)
#   LIMIT    seconds for everything (default 560)
# Exit code 0: all steps succeeded. 1: one failed.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$PWD/target/release/mnist-report
probe=target/release/examples/gpu_probe
device=${DEVICE:-cuda}
export PYTHON=${PYTHON:-python3}
out=$(realpath -m "${OUT:-target/gpu-day}")
mkdir -p "$out"
end=$((SECONDS + ${LIMIT:-560}))

if [[ $device == cpu ]]; then
    study=tests/fixtures/tiny.yaml long=src/arithmetic/portable.yaml images=256
else
    study=reports/coursework.yaml long=reports/extended.yaml images=60000
fi
name=$(basename "$study" .yaml)
half=$(($(nproc) / 2))

say() {
    printf '%s s: %s\n' "$SECONDS" "$*" | tee -a "$out/day.txt"
}

failed() {
    touch "$out/failed"
}

# step SECONDS NAME COMMAND...: runs a command for at most that long. Its output goes to NAME.txt.
step() {
    local limit=$1 name=$2 rc=0 start=$SECONDS
    shift 2
    ((limit < end - SECONDS)) || limit=$((end - SECONDS))
    if ((limit < 5)); then
        say "$name: no time left"
        return 1
    fi
    timeout "$limit" "$@" >"$out/$name.txt" 2>&1 || rc=$?
    say "$name: exit code $rc, $((SECONDS - start)) s: $(tail -n 1 "$out/$name.txt")"
    ((rc == 0)) || failed
    return "$rc"
}

# equal NAME FOLDER FOLDER: compares two Report IDs.
equal() {
    if [[ ! -e $2/SHA256SUMS || ! -e $3/SHA256SUMS ]]; then
        failed
        say "$1: not compared, because a build is missing"
    elif cmp -s "$2/SHA256SUMS" "$3/SHA256SUMS"; then
        say "$1: the same Report ID, $(sha256sum <"$2/SHA256SUMS" | cut -d' ' -f1)"
    else
        failed
        say "$1: DIFFERENT Report IDs"
        "$program" diff "$2" "$3" >"$out/diff-$1.txt" 2>&1
    fi
}

# bench SECONDS NAME OPTIONS...: compares with PyTorch. The table goes to bench-NAME.md.
bench() {
    local limit=$1 name=$2
    shift 2
    step "$limit" "bench-$name" scripts/bench.sh --out "$out/bench-$name.md" "$@"
}

on_cpu() {
    # 4. The study on the CPU.
    step 300 build-cpu "$program" build "$study" --fresh --device cpu --out "$work/cpu/$name"
    cp "$work/cpu/$name/run-log.json" "$out/run-log-cpu.json"
    touch "$work/cpu-is-built"
}

work=$(mktemp -d)
export XDG_CACHE_HOME=$work/cache
rm -f "$out/failed"
trap 'rm -rf "$work"' EXIT

# 7. The speed by number of CPU threads. First, because nothing else may run at the same time.
for threads in 1 2 4 8 16; do
    ((threads <= $(nproc))) || continue
    MNIST_REPORT_THREADS=$threads DEVICE=cpu step 30 "cpu-$threads" target/release/examples/bench_training benches/study.yaml slim-bn
done

if ((half >= 8)); then
    export MNIST_REPORT_THREADS=$half
    taskset -p -c "$half-$((2 * half - 1))" $$ >/dev/null
    (
        taskset -p -c "0-$((half - 1))" $BASHPID >/dev/null
        on_cpu
    ) &
else
    on_cpu
fi

# 1. The GPU's properties, and the self-test of every kernel.
step 20 card nvidia-smi
say "$(grep -o 'NVIDIA-SMI.*' "$out/card.txt" | head -n 1)"
step 60 self-test "$probe" src/arithmetic/portable.yaml 4 0

# 2 and 3. The study on the GPU twice. The first start compiles and tests the kernels.
step 60 build-gpu "$program" build "$study" --fresh --device "$device" --out "$work/gpu/$name" &&
    step 20 publish "$program" publish "$work/gpu/$name" --lean --out "$out/$name.zip"
cp "$work/gpu/$name/run-log.json" "$out/run-log-gpu.json"
step 60 build-gpu-again "$program" build "$study" --fresh --device "$device" --out "$work/again/$name"
equal gpu-twice "$work/gpu/$name" "$work/again/$name"
step 60 verify-gpu "$program" verify "$work/gpu/$name" --device "$device" --upto rerun

# 5. Compare with PyTorch on the same device.
bench 150 slim-bn --device "$device" --runs slim-bn --rounds 1 --images "$images"
bench 90 baseline-and-slim --device "$device" --runs baseline,slim --rounds 2 --images "$images" --peers tensor

# 6. Images per second with steps recorded as CUDA graphs, and with launches one by one.
step 60 images-per-second "$probe" "$study" 0 200

# 8. Check for reads and writes outside arrays.
if command -v compute-sanitizer >/dev/null; then
    step 90 sanitizer compute-sanitizer --error-exitcode 1 "$probe" src/arithmetic/portable.yaml 1 0
fi

# libtorch on the GPU: compare steps as CUDA graphs with operators one by one, and verify bundles on both devices.
if [[ $device != cpu ]]; then
    STUDIES=src/arithmetic/portable.yaml OUT=$work/test-gpu step 150 test-gpu scripts/test-gpu.sh
fi

# 4. Compare with the CPU.
until [[ -e $work/cpu-is-built ]] || ((SECONDS + 5 > end)); do
    sleep 1
done
equal gpu-and-cpu "$work/gpu/$name" "$work/cpu/$name"

# 5 and 9. More comparisons, if time is left.
bench 150 compile --device "$device" --runs slim-bn --rounds 1 --images "$images" --peers compile
step 300 build-long "$program" build "$long" --fresh --device "$device" --out "$work/long"
say "done"
[[ ! -e $out/failed ]]
