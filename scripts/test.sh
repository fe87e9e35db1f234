#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: in a single process, then those that concern MPI on 1, 2 and 4
# ranks. Ends with a line "N passed, N failed, N skipped" and fails if any test did.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

require_swift
install_packages "${build_packages[@]}" python3 python3-numpy python3-h5py
export KITI_PYTHON=${KITI_PYTHON:-/usr/bin/python3}

say "building"
swift build -c release --build-tests
bundle=$(ls .build/release/*PackageTests.xctest)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Classes whose tests run on several ranks.
parallel=$(for target in KitiMPITests KitiHDF5Tests KitiCoreTests; do
  grep -rhoE 'class [A-Za-z0-9]+: MPITestCase' "Tests/$target" | sed -E "s/class ([A-Za-z0-9]+):.*/$target.\1/"
done | sort | paste -sd, -)

passed=0 failed=0 skipped=0

# Adds up what a run's log says. A test on several ranks counts once, and fails if it fails on any rank.
count() {
  local log=$1 status=$2 name=$3 p f s
  f=$(sed -nE "s/^.*Test Case '([^']+)' failed.*$/\1/p" "$log" | sort -u | wc -l)
  s=$(sed -nE "s/^.*Test Case '([^']+)' skipped.*$/\1/p" "$log" | sort -u | wc -l)
  p=$(sed -nE "s/^.*Test Case '([^']+)' passed.*$/\1/p" "$log" | sort -u | wc -l)
  p=$((p - $(comm -12 <(sed -nE "s/^.*Test Case '([^']+)' passed.*$/\1/p" "$log" | sort -u) \
    <(sed -nE "s/^.*Test Case '([^']+)' failed.*$/\1/p" "$log" | sort -u) | wc -l)))
  # A run that died counts as a failure even if no test said so.
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  printf '%s: %d passed, %d failed, %d skipped (status %d)\n' "$name" "$p" "$f" "$s" "$status"
  if [ "$f" -gt 0 ]; then
    grep -E 'error:|failed|Fatal|watchdog' "$log" | head -60 || true
    tail -30 "$log"
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

run() {
  local name=$1 log="$logs/log"
  shift
  say "tests, $name"
  local status=0
  timeout --kill-after=10 900 "$@" >"$log" 2>&1 || status=$?
  count "$log" "$status" "$name"
}

run "single process" "$bundle"
for ranks in 1 2 4; do
  run "mpirun -np $ranks" mpirun -np "$ranks" "$bundle" "$parallel"
done

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
