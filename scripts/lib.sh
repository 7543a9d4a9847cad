# shellcheck shell=bash
# What every script shares: where the project is, how it speaks, and how it ends with a sentence instead of a trace.
# Sourced, not run. Needs: set -euo pipefail in the script that sources it.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# rustup installs here; a login shell opened before that does not know it yet.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }
# The name of the script that speaks comes first, since scripts call each other.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}
need_root() { [ "$(id -u)" = 0 ] || die "must run as root: it handles packages, namespaces or libvirt. Try: sudo $0"; }
# Milliseconds of a clock that never steps back.
now_ms() { awk '{printf "%d\n", $1 * 1000}' /proc/uptime; }
# The programs of the project, built here so that every script uses the same ones. Quiet when there is nothing to build.
target_dir() { say "${CARGO_TARGET_DIR:-$ROOT/target}"; }
