#!/usr/bin/env bash
# A checkpoint that does not fit into memory: the same 16 tokens with all the memory there is, and in a
# cgroup that holds half of the checkpoint, where weights are read from the disk again and again. The
# tokens must be the same. Prints tokens/s of both, and the memory beside the weights, which are mapped.
# Without a memory cgroup that can be made here it says so. Environment: BUILD (build/release).
#
#   tests/bench/limited_memory.sh DIR
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: tests/bench/limited_memory.sh DIR (a checkpoint)" >&2; exit 64; }
model=$(realpath "$1")
cd "$(dirname "$0")/../.."

readonly felt=0.9  # of the limit: a run that used less found weights in memory that others hold
program=${BUILD:-build/release}/fathom
[ -x "$program" ] || { echo "limited_memory: $program is not built (./dev build)" >&2; exit 69; }

dir=$(mktemp -d)
group=
cleanup() {
  [ -z "$group" ] || rmdir "$group" || true
  rm -rf "$dir"
}
trap cleanup EXIT

# Version 2 keeps processes out of groups that divide their memory, so there the new group stands at the
# top; in version 1 it stands in our own, whose limit goes on to hold.
make_group() {
  local name=fathom-limited-$$ own
  if grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
    group=/sys/fs/cgroup/$name limit_file=memory.max peak_file=memory.peak
  else
    own=$(sed -n 's/^[0-9]*:memory:\(.*\)/\1/p' /proc/self/cgroup)
    [ -d "/sys/fs/cgroup/memory$own" ] || own=
    group=/sys/fs/cgroup/memory$own/$name limit_file=memory.limit_in_bytes peak_file=memory.max_usage_in_bytes
  fi
  mkdir "$group" 2>/dev/null || { group=; return 1; }
  { echo "$1" >"$group/$limit_file"; } 2>/dev/null
}

generate() {
  "$program" generate --model "$model" --ids '1 2 3 4 5' --print-ids --max-tokens 16 --ignore-eos \
    --temperature 0 --stats
}
# What a group is charged for are the pages that it read itself.
forget_weights() { for file in "${weights[@]}"; do dd if="$file" iflag=nocache count=0 status=none; done; }
# row NAME: what the run NAME reported.
row() {
  sed -nE "s|.*answer ([0-9]+) tokens, ([0-9.]+ tokens/s);.*; ([0-9]+ MB beside the weights).*|$1: \2, \3|p" "$dir/$1.err"
}

weights=("$model"/*.safetensors)
bytes=$(stat -c %s "${weights[@]}" | awk '{ sum += $1 } END { printf "%.0f", sum }')
limit=$((bytes / 2))
if ! make_group "$limit"; then
  echo "limited memory: no memory cgroup can be made here (as root, with cgroup v1 or v2): not measured"
  exit 0
fi

# Once more at first, so that the run without a limit finds the weights in memory.
generate >/dev/null 2>&1
generate >"$dir/unlimited.ids" 2>"$dir/unlimited.err" || { cat "$dir/unlimited.err" >&2; exit 1; }
forget_weights
(
  echo "$BASHPID" >"$group/cgroup.procs"
  generate >"$dir/limited.ids" 2>"$dir/limited.err"
) || { cat "$dir/limited.err" >&2; exit 1; }

echo "limited memory: a checkpoint of $((bytes / 1000000)) MB in $((limit / 1000000)) MB"
row unlimited
row limited
if [ -r "$group/$peak_file" ]; then
  awk -v peak="$(cat "$group/$peak_file")" -v limit="$limit" -v felt=$felt 'BEGIN {
    if (peak < felt * limit) print "the limit was not felt: another program holds the checkpoint in memory" }'
fi
cmp "$dir/unlimited.ids" "$dir/limited.ids" || { echo "limited memory: other tokens than without a limit" >&2; exit 1; }
echo "the same $(wc -w <"$dir/limited.ids") tokens"
