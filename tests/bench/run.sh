#!/usr/bin/env bash
# Runs the benchmarks of runtime/ from build folder $1 and prints each figure beside its peer.
set -euo pipefail
build=$1
grep -m1 'model name' /proc/cpuinfo || true
"$build/tests/bench/trace_bench"
BUILD=$build tests/bench/http_vs_nginx.sh
"$build/tests/bench/net_bench" websocket
