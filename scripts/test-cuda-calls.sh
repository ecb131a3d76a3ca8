#!/usr/bin/env bash
# Tests the calls that training makes on a GPU, without a GPU. It runs the CUDA part of libtorch with a fake CUDA
# runtime (tests/cuda/runtime.cpp), which computes nothing but rejects what cannot be recorded in a CUDA graph. It tests
# that every kind of layer, optimizer and schedule is recorded, what happens if that fails, and that a study can be
# built and verified. It does not test numbers.
#   TORCH   the folder of libtorch_cuda.so; by default libtorch/torch/lib, after `make libtorch CUDA=1`
# The last line is `N passed, N failed`. Exit code 0: all passed. 1: some failed. 2: the tests could not run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=target/release/mnist-report
trainer=target/release/examples/bench_training
torch=${TORCH:-libtorch/torch/lib}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

for needed in "$program" "$program-libtorch" "$trainer"; do
    [[ -x $needed ]] || fail "$needed is missing; run \`make test-cuda-calls\`"
done
[[ -e $torch/libtorch_cuda.so ]] || fail "$torch has no libtorch_cuda.so; run \`make libtorch CUDA=1\` (2.4 GB), or set TORCH to its folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Generate the functions of CUDA and cuBLAS that libtorch needs and runtime.cpp does not define. Matrix products are
# counted, all others return 0.
g++ -std=c++17 -O1 -fPIC -c tests/cuda/runtime.cpp -o "$work/runtime.o" || fail "tests/cuda/runtime.cpp does not compile"
nm --defined-only "$work/runtime.o" | awk '{ print $3 }' | sort -u >"$work/have"
nm -D --undefined-only "$torch"/libtorch_cuda.so "$torch"/libc10_cuda.so |
    sed -nE 's/.* U ((__)?(cuda|cublas)\w+)(@.*)?$/\1/p' | sort -u >"$work/want"
{
    echo 'extern "C" { int stub_product_on_stream();'
    comm -23 "$work/want" "$work/have" | sed -E \
        -e 's/^cublas.*([Gg]emm|gemv|[Dd]ot).*/int &() { return stub_product_on_stream(); }/' \
        -e '/^int /! s/.*/int &() { return 0; }/'
    echo '}'
} >"$work/rest.cpp"
g++ -std=c++17 -fPIC -fno-builtin -shared "$work/rest.cpp" "$work/runtime.o" -o "$work/stub.so" || fail "cannot link the fake CUDA runtime"
# libtorch loads the driver by this name.
ln -s stub.so "$work/libcuda.so.1"

passed=0 failed=0
# expect NAME FILE PATTERN...: checks that each pattern is in the file.
expect() {
    local name=$1 file=$2 pattern
    shift 2
    for pattern in "$@"; do
        if ! grep -qE "$pattern" "$file"; then
            failed=$((failed + 1))
            printf '%s: FAILED, `%s` not found in:\n' "$name" "$pattern"
            tail -n 5 "$file"
            return
        fi
    done
    passed=$((passed + 1))
    printf '%s: %s\n' "$name" "$(grep -o 'a graph of.*' "$file" | paste -sd ';')"
}

# on_stub MODE COMMAND...: runs a command with the fake runtime in a mode (see runtime.cpp); writes all output to
# $work/output. The witness is switched off, because the fake runtime computes nothing.
on_stub() {
    local mode=$1 rc=0
    shift
    DEVICE=cuda MNIST_REPORT_GPU=libtorch MNIST_REPORT_WITNESS=no CUDA_STUB=$mode LD_PRELOAD=$work/stub.so LD_LIBRARY_PATH=$torch:$work timeout 120 "$@" >"$work/output" 2>&1 || rc=$?
    echo "exit status $rc" >>"$work/output"
}

sed -E 's/epochs: [12]\b/epochs: 40/' src/arithmetic/portable.yaml >"$work/study.yaml"
for run in $(sed -nE '/^runs:/,$ s/^  ([a-z-]+):.*/\1/p' "$work/study.yaml"); do
    on_stub works "$trainer" "$work/study.yaml" "$run" --libtorch
    expect "$run" "$work/output" '"kinds":[12],"steps":[1-9][0-9]*,"refused":null' '^exit status 0$' \
        '[12] graphs, [1-9][0-9]* replays, 0 refusals, 0 calls on the default stream, 0 beside a recording'
done
on_stub fails "$trainer" "$work/study.yaml" slim-bn --libtorch
expect "slim-bn, with a product that cannot be recorded" "$work/output" '"kinds":0,"steps":0,"refused":"libtorch: CUDA error' '^exit status 0$' ' 0 replays'
on_stub differs "$trainer" "$work/study.yaml" slim-bn --libtorch
expect "slim-bn, with a recording that gives other bits" "$work/output" '"steps":0,"refused":"a recorded step gives other bits"' '^exit status 0$' ' 1 replays'
quiet=' 0 refusals, 0 calls on the default stream, 0 beside a recording'
on_stub works "$program" build tests/fixtures/tiny.yaml --device cuda --fresh --out "$work/bundle"
expect "a build" "$work/output" '^Report ID' '^exit status 0$' '[1-9][0-9]* replays,'"$quiet"
on_stub works "$program" verify "$work/bundle" --device cuda --upto rerun
expect "its verification" "$work/output" '^weights +passed' '^replay +passed' '^rerun +passed' '^exit status 0$' "$quiet"
on_stub small "$program" build tests/fixtures/tiny.yaml --device cuda --fresh --out "$work/none"
expect "a build that needs too much GPU memory" "$work/output" '^error: .*: libtorch: CUDA out of memory.*; try a smaller batch_size' '^exit status 2$'
on_stub small "$program" verify "$work/bundle" --device cuda
expect "a verification that needs too much GPU memory" "$work/output" '^weights +not checked .*libtorch: CUDA out of memory' '^exit status 2$' "$quiet"
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 ]]
