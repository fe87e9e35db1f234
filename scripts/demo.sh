#!/usr/bin/env bash
# The main job, end to end: makes a data set of Burgers' equation, trains a Fourier neural operator with and without
# collision residuals on two ranks, and compares their test errors. Takes about two minutes after the build.
#   demo.sh [EPOCHS]      epochs of each of the two runs, 60 unless told
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

require_swift
install_packages "${build_packages[@]}"
epochs=${1:-60}

say "building"
swift build -c release --product kiti-dist

data=data/burgers.h5
if ! "$program" data inspect "$data" >/dev/null 2>&1; then
  say "making $data: 1,000 training and 200 test samples on 1,024 points"
  mpirun -np 2 "$program" data make burgers --samples 1200 --test-samples 200 --resolution 1024 \
    --output "$data" --overwrite
fi

# mpirun hides the terminal from its ranks.
progress=lines
[ ! -t 2 ] || progress=live

runs=$(mktemp -d runs-demo-XXXXXX -p "$(mkdir -p runs && cd runs && pwd)")
for kind in kiti plain; do
  say "training, $kind"
  mpirun -np 2 "$program" train "experiments/burgers-fno-$kind.yaml" --set training.epochs="$epochs" \
    --set data.path="$data" --progress "$progress" --output "$runs/$kind"
done

say "test errors after $epochs epochs"
for kind in kiti plain; do
  case $kind in kiti) name="collision residual" ;; plain) name="plain residual" ;; esac
  error=$(mpirun -np 2 "$program" evaluate "$runs/$kind" | sed -n 's/^test relative L2 *//p')
  printf '%-20s test relative L2 %s   %s\n' "$name" "$error" "$(readlink -f "$runs/$kind/latest")"
done
