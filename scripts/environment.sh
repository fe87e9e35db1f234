# Sourced by the scripts beside it: what they all need on a fresh Debian 12, as root or with sudo, from any folder.
# Afterwards: the working folder is the checkout, packages are there, mpirun works as root and with more ranks than cores.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${Status}\n' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "these Debian packages are missing and there is no sudo: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

require_swift() {
  command -v swift >/dev/null ||
    die "Swift 6.2 or newer is needed and not in Debian 12: see https://www.swift.org/install/linux/"
}

# mpirun refuses root and more ranks than cores unless told; with a binding to one core, background threads would starve.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none

build_packages=(libopenmpi-dev openmpi-bin libhdf5-openmpi-dev libopenblas-dev libfftw3-dev libxxhash-dev libarchive-dev
  libpng-dev libturbojpeg0-dev pkg-config)

program=.build/release/kiti-dist
