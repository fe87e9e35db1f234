#!/usr/bin/env bash
# Measures scaling on this machine and prints the tables of docs/scaling.md: one rank to two, a link of 200 Mbit/s between
# two network namespaces, and the predictions of `kiti-dist plan` beside what was measured. Takes under four minutes on a
# machine with nothing else to do; fails if overlap hides less than 60 % of what can be hidden.
#
#   ./scripts/measure-scaling.sh [scaling] [link] [plan] [tables]     only these parts
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

[ "$(id -u)" -eq 0 ] || die "network namespaces and traffic shaping need root: run this as root or with sudo"
require_swift
install_packages "${build_packages[@]}" iproute2 python3
[ -x "$program" ] || {
  say "building"
  swift build -c release --product kiti-dist >&2
}

folder=$(mktemp -d)
hosts=("kiti-$$-a" "kiti-$$-b")
clean_up() {
  for host in "${hosts[@]}"; do ip netns del "$host" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

for host in "${hosts[@]}"; do
  ip netns add "$host" || die "network namespaces cannot be made here: run this where the kernel allows them"
done
ip -n "${hosts[0]}" link add eth0 type veth peer name eth0 netns "${hosts[1]}"
for index in 0 1; do
  host=${hosts[$index]}
  ip -n "$host" addr add "10.79.0.$((index + 1))/24" dev eth0
  ip -n "$host" link set eth0 up
  ip -n "$host" link set lo up
  ip netns exec "$host" tc qdisc add dev eth0 root tbf rate 200mbit burst 64kb latency 50ms ||
    die "this kernel cannot shape traffic: it lacks the tbf queue (sch_tbf)"
done

# In place of ssh: a shell in the other namespace, with a host name and shared memory of its own.
cat >"$folder/agent" <<'AGENT'
#!/bin/sh
while case "$1" in -*) true ;; *) false ;; esac; do shift; done
host=$1
shift
exec ip netns exec "$host" unshare --uts --mount sh -c \
  'hostname "$0"; mount -t tmpfs tmpfs /dev/shm; exec sh -c "$1"' "$host" "$*"
AGENT
chmod +x "$folder/agent"

python3 scripts/scaling-tables.py "$PWD/$program" --agent "$folder/agent" --hosts "${hosts[@]}" --parts "$@"
