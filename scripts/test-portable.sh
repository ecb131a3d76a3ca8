#!/usr/bin/env bash
# Owns the long test of the portable class: trains tests/fixtures/portable.yaml on this CPU and on emulated ones
# (user-mode QEMU) and compares every bit of states and logits; trains whole studies on this CPU and compares what was
# measured with what other CPUs gave (tests/fixtures/measured.txt). See docs/reproducibility.md.
#   CPUS     emulated CPUs, default "EPYC-Milan Haswell max Skylake-Client"; each needs AVX2 and FMA
#   THREADS  thread counts, default "2 4 1"
#   STUDIES  whole studies, default "reports/quick.yaml"; "" for none
#   JOBS     emulations at a time, default the number of cores
#   OUT      a folder to keep the lines of each process in
# Exit code 0: all runs equal. 1: a difference. 2: could not be run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
probe=target/release/examples/portable_probe
program=target/release/mnist-report
study=tests/fixtures/portable.yaml
measured=tests/fixtures/measured.txt
read -ra cpus <<<"${CPUS:-EPYC-Milan Haswell max Skylake-Client}"
read -ra threads <<<"${THREADS:-2 4 1}"
read -ra studies <<<"${STUDIES-reports/quick.yaml}"
jobs=${JOBS:-$(nproc)}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

for needed in "$probe" "$program"; do
    [[ -x $needed ]] || fail "$needed is missing: start this test with \`make test-portable\`"
done
if ! command -v qemu-x86_64 >/dev/null; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-user; } >/dev/null 2>&1 ||
            fail "apt-get cannot install qemu-user: install it and start again"
    else
        fail "qemu-x86_64 is missing; install it (Debian, Ubuntu: apt-get install qemu-user)"
    fi
fi
known=$(qemu-x86_64 -cpu help) || true # it exits with 1
for cpu in "${cpus[@]}"; do
    grep -qE "^x86 +$cpu( |$)" <<<"$known" || fail "this QEMU knows no CPU $cpu: set CPUS to some of \`qemu-x86_64 -cpu help\`"
done
for count in "${threads[@]}"; do
    [[ $count =~ ^[1-9][0-9]*$ ]] || fail "THREADS holds $count: thread counts are needed"
done
digest() { awk -v study="$1" '$2 == study { print $1 }' "$measured"; }
for name in "${studies[@]}"; do
    [[ -n $(digest "$name") ]] || fail "$measured has no $name: set STUDIES to some that it has"
done

out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
rm -f "$out"/*-[0-9]* "$out"/native* # of a run before
# Background jobs do not get the terminal's Ctrl-C: end the emulations with the test.
trap 'kill $(jobs -p) 2>/dev/null || true; [[ -n ${OUT-} ]] || rm -rf "$out"' EXIT
trap 'exit 2' INT TERM HUP

# A file of lines and one of errors for each process; the lines take their name once they are whole.
emulate() { # CPU THREADS NAME [OPTION]
    local start=$SECONDS file=$out/$3
    qemu-x86_64 -cpu "$1" "$probe" "$study" --threads "$2" "${@:4}" >"$file.part" 2>"$file.err" &
    # Expanded now: this shell has one child, which must not outlive it.
    # shellcheck disable=SC2064
    trap "kill $! 2>/dev/null || true" TERM
    if wait $!; then
        echo $((SECONDS - start)) >"$file.seconds"
        mv "$file.part" "$file"
    fi
}

# Runs of the first file that the second one has otherwise or not at all.
others() { comm -23 <(results "$1") <(results "$2") | cut -d' ' -f2; }
results() { grep '^run ' "$1" | sed 's/ threads [0-9]*//' | sort; }
# Where a run parts: the first line that only the first file has. Only the loss tells of the forward pass; a gradient
# names the layer in which the backward pass parts, or a forward pass whose loss came out the same.
parts_at() { # FILE FILE RUN
    local line
    line=$(diff <(grep "^step $3 " "$1") <(grep "^step $3 " "$2") | grep -m 1 '^<' | cut -d' ' -f4,5) || true
    printf '%s' "${line:+step ${line/ /, }}"
}

runs=0 passed=0 failed=0 last_different=0
# A row of the table, and a line for each run that differs. Sets `last_different`; fails where the process did not run.
report() { # LABEL THREADS FILE REFERENCE
    local run seconds='' different n=0
    if [[ ! -f $3 ]]; then
        printf '%-26s %7s   did not run: %s\n' "$1" "$2" "$(grep -v "TCG doesn't support" "$3.err" | tail -n 1)"
        return 1
    fi
    if [[ -f $3.seconds ]]; then seconds="$(<"$3.seconds") s"; fi
    different=$(others "$4" "$3")
    [[ -z $different ]] || n=$(wc -l <<<"$different")
    printf '%-26s %7s %7d %11d   %s\n' "$1" "$2" $((runs - n)) "$n" "$seconds"
    for run in $different; do printf '    %s differs: %s\n' "$run" "$(parts_at "$4" "$3" "$run")"; done
    last_different=$n
}

# --- on this CPU ---

for count in "${threads[@]}"; do
    "$probe" "$study" --threads "$count" >"$out/here-$count" || fail "the probe does not run on this CPU"
done
first=${threads[0]}
runs=$(grep -c '^run ' "$out/here-$first")

# --- on the others ---

room() { while [[ $(jobs -pr | wc -l) -ge $jobs ]]; do wait -n || true; done; }
for count in "${threads[@]}"; do
    for cpu in "${cpus[@]}"; do
        room
        emulate "$cpu" "$count" "$cpu-$count" &
    done
    if [[ $count == "$first" ]]; then
        room
        emulate "${cpus[0]}" "$count" native --native &
    fi
done
wait

here=$(sed -n '/^model name/ { s/.*: //p; q }' /proc/cpuinfo)
printf 'this CPU: %s; %s\n' "$here" "$(qemu-x86_64 -version | head -n 1)"
printf '%-26s %7s %7s %11s   %s\n' "CPU (emulated)" threads equal different time
for count in "${threads[@]}"; do
    for cpu in "${cpus[@]}"; do
        if report "$cpu" "$count" "$out/$cpu-$count" "$out/here-$count"; then
            passed=$((passed + runs - last_different)) failed=$((failed + last_different))
        else
            failed=$((failed + runs))
        fi
    done
done

# --- whole studies, here ---

for name in "${studies[@]}"; do
    start=$SECONDS
    "$program" build "$name" --fresh --device cpu --quiet --out "$out/bundle" >/dev/null || fail "$name cannot be built"
    got=$(sed -n 's/^ *"measured": "\([0-9a-f]*\)".*/\1/p' "$out/bundle/manifest.json")
    if [[ $got == "$(digest "$name")" ]]; then
        passed=$((passed + 1)) result=equal
    else
        failed=$((failed + 1)) result="different: ${got:-no digest}"
    fi
    printf '%-34s %s, in %d s\n' "$name, whole" "$result" $((SECONDS - start))
done

# --- for information: what the test can see, and what the class does not promise ---

printf 'for information, not counted:\n'
"$probe" "$study" --threads "$first" --native >"$out/here-native"
report "${cpus[0]}, class native" "$first" "$out/native" "$out/here-native" | head -n 2 || true
for count in 1 3 4 8; do
    [[ $count == "$first" ]] && continue
    "$probe" "$study" --threads "$count" >"$out/count-$count"
    report "here, threads unequal" "$count" "$out/count-$count" "$out/here-$first" | head -n 2 || true
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 ]]
