#!/usr/bin/env bash
# Tests that the bits depend only on the study. Trains src/arithmetic/portable.yaml on this CPU with each vector width
# and several numbers of threads, and on emulated CPUs (user-mode QEMU), and compares every bit of states and logits.
# Then builds the whole of that study without vectors and on 8 threads, and compares its Report ID. Then builds complete
# studies on this CPU, each with different vectors and threads, and compares the digests of their results with the recorded
# ones (tests/fixtures/measured.txt). See docs/reproducibility.md.
#   CPUS     emulated CPUs, by default "EPYC-Milan Haswell max Skylake-Client"; one without AVX2 and FMA takes much longer
#   THREADS  thread counts, by default "2 1 3 8"
#   STUDIES  whole studies, by default "reports/quick.yaml"; "" for none
#   JOBS     number of emulations at a time, by default the number of cores
#   OUT      a folder in which to keep the output of each process; by default a temporary folder
# Exit code 0: all results are equal. 1: some differ. 2: the test could not run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
probe=target/release/examples/portable_probe
program=target/release/mnist-report
study=src/arithmetic/portable.yaml
measured=tests/fixtures/measured.txt
read -ra cpus <<<"${CPUS:-EPYC-Milan Haswell max Skylake-Client}"
read -ra threads <<<"${THREADS:-2 1 3 8}"
read -ra studies <<<"${STUDIES-reports/quick.yaml}"
jobs=${JOBS:-$(nproc)}
unset MNIST_REPORT_VECTORS MNIST_REPORT_THREADS # each run below sets its own
export MNIST_REPORT_WITNESS=no

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

for needed in "$probe" "$program"; do
    [[ -x $needed ]] || fail "$needed is missing; run \`make test-portable\`"
done
if ! command -v qemu-x86_64 >/dev/null; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-user; } >/dev/null 2>&1 ||
            fail "apt-get cannot install qemu-user; install it and try again"
    else
        fail "qemu-x86_64 is missing; install it (Debian, Ubuntu: apt-get install qemu-user)"
    fi
fi
known=$(qemu-x86_64 -cpu help) || true # QEMU exits with 1 here
for cpu in "${cpus[@]}"; do
    grep -qE "^x86 +$cpu( |$)" <<<"$known" || fail "this QEMU does not have a CPU $cpu; set CPUS to names from \`qemu-x86_64 -cpu help\`"
done
for count in "${threads[@]}"; do
    [[ $count =~ ^[1-9][0-9]*$ ]] || fail "invalid THREADS='${threads[*]}'; expected thread counts such as '2 1'"
done
digest() { awk -v study="$1" '$2 == study { print $1 }' "$measured"; }
for name in "${studies[@]}"; do
    [[ -n $(digest "$name") ]] || fail "$measured has no digest of $name; set STUDIES to studies in that file"
done

out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
rm -f "$out"/*-[0-9]* # files of an earlier run
# Background jobs do not receive Ctrl-C from the terminal, so stop the emulations when the test ends.
trap 'kill $(jobs -p) 2>/dev/null || true; [[ -n ${OUT-} ]] || rm -rf "$out"' EXIT
trap 'exit 2' INT TERM HUP

# Runs the probe on an emulated CPU. Output and errors go to files; the output file gets its final name when it is
# complete.
emulate() { # CPU THREADS
    local start=$SECONDS file=$out/$1-$2
    MNIST_REPORT_THREADS=$2 qemu-x86_64 -cpu "$1" "$probe" "$study" >"$file.part" 2>"$file.err" &
    # Expand $! now, on purpose: this stops the shell's only child together with the shell.
    # shellcheck disable=SC2064
    trap "kill $! 2>/dev/null || true" TERM
    if wait $!; then
        echo $((SECONDS - start)) >"$file.seconds"
        mv "$file.part" "$file"
    fi
}

# Prints the runs of the first file that differ in the second file or are not in it.
different_runs() { comm -23 <(results "$1") <(results "$2") | cut -d' ' -f2; }
results() { grep '^run ' "$1" | sort; }
# Prints the first divergence of a run: the first step and tensor that differ. If it is the loss, the forward pass
# differs. If it is a gradient, its layer is the one where the backward pass first differs (or the forward pass differs
# but gives the same loss).
first_divergence() { # FILE FILE RUN
    local line
    line=$(diff <(grep "^step $3 " "$1") <(grep "^step $3 " "$2") | grep -m 1 '^<' | cut -d' ' -f4,5) || true
    printf '%s' "${line:+step ${line/ /, }}"
}

passed=0 failed=0
# Prints a row of the table, and a line for each run that differs from the reference, and counts both.
report() { # LABEL THREADS FILE
    local run seconds='' different n=0
    if [[ ! -f $3 ]]; then
        printf '%-26s %7s   did not run: %s\n' "$1" "$2" "$(grep -v "TCG doesn't support" "$3.err" | tail -n 1)"
        failed=$((failed + runs))
        return
    fi
    if [[ -f $3.seconds ]]; then seconds="$(<"$3.seconds") s"; fi
    different=$(different_runs "$reference" "$3")
    [[ -z $different ]] || n=$(wc -l <<<"$different")
    printf '%-26s %7s %7d %11d   %s\n' "$1" "$2" $((runs - n)) "$n" "$seconds"
    for run in $different; do printf '    %s differs: %s\n' "$run" "$(first_divergence "$reference" "$3" "$run")"; done
    passed=$((passed + runs - n)) failed=$((failed + n))
}

# --- on this CPU: the widest vectors and the first thread count are the reference ---

for vectors in widest avx2 scalar; do
    for count in "${threads[@]}"; do
        MNIST_REPORT_VECTORS=$vectors MNIST_REPORT_THREADS=$count "$probe" "$study" >"$out/$vectors-$count" ||
            fail "the probe does not run on this CPU"
    done
done
reference=$out/widest-${threads[0]}
runs=$(grep -c '^run ' "$reference")

# --- on emulated CPUs ---

for count in "${threads[@]}"; do
    for cpu in "${cpus[@]}"; do
        while [[ $(jobs -pr | wc -l) -ge $jobs ]]; do wait -n || true; done
        emulate "$cpu" "$count" &
    done
done
wait

here=$(sed -n '/^model name/ { s/.*: //p; q }' /proc/cpuinfo)
printf 'this CPU: %s; %s\n' "$here" "$(qemu-x86_64 -version | head -n 1)"
printf 'reference: %s\n' "$(head -n 1 "$reference")"
printf '%-26s %7s %7s %11s   %s\n' CPU threads equal different time
for count in "${threads[@]}"; do
    for vectors in widest avx2 scalar; do
        file=$out/$vectors-$count
        [[ $file == "$reference" ]] || report "this CPU, $vectors" "$count" "$file"
    done
    for cpu in "${cpus[@]}"; do report "$cpu, emulated" "$count" "$out/$cpu-$count"; done
done

# --- whole studies on this CPU ---

report_id() { # VECTORS THREADS
    MNIST_REPORT_VECTORS=$1 MNIST_REPORT_THREADS=$2 \
        "$program" build "$study" --fresh --device cpu --quiet --out "$out/bundle" || fail "cannot build $study"
}
start=$SECONDS
# In two steps, so that a failed build ends the test.
one=$(report_id widest 1)
other=$(report_id scalar 8)
if [[ $one == "$other" ]]; then
    passed=$((passed + 1)) result=equal
else
    failed=$((failed + 1)) result=different
fi
printf 'Report ID of %s, widest on 1 thread and scalar on 8: %s, in %d s\n' "$study" $result $((SECONDS - start))

for name in "${studies[@]}"; do
    for how in "widest 1" "widest $(nproc)" "avx2 3"; do
        read -r vectors count <<<"$how"
        start=$SECONDS
        MNIST_REPORT_VECTORS=$vectors MNIST_REPORT_THREADS=$count \
            "$program" build "$name" --fresh --device cpu --quiet --out "$out/bundle" >/dev/null || fail "cannot build $name"
        got=$(sed -n 's/^ *"measured": "\([0-9a-f]*\)".*/\1/p' "$out/bundle/manifest.json")
        if [[ $got == "$(digest "$name")" ]]; then
            passed=$((passed + 1)) result=equal
        else
            failed=$((failed + 1)) result="different: ${got:-no digest}"
        fi
        printf '%s, whole, %s, %s threads: %s, in %d s\n' "$name" "$vectors" "$count" "$result" $((SECONDS - start))
    done
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 ]]
