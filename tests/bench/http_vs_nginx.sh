#!/usr/bin/env bash
# Keep-alive GETs of a small body: Fathom's HttpServer on one thread beside nginx with one worker,
# both driven by wrk over loopback, in turn, so that whatever else the machine does hits both. Prints
# requests/s and p99 of each round, and the ratio of the medians. Environment: ROUNDS (3),
# SECONDS_EACH (5), CONNECTIONS (32), BUILD (build/release). Exits 69 when a program is missing and 1
# when the ratio is below the promise.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly ratio_promised=0.4
rounds=${ROUNDS:-3}
seconds_each=${SECONDS_EACH:-5}
connections=${CONNECTIONS:-32}
bench=${BUILD:-build/release}/tests/bench/net_bench

need() {
  command -v "$1" >/dev/null && return
  echo "http_vs_nginx: $1 is missing; install the package $2" >&2
  exit 69
}
PATH=$PATH:/usr/sbin
need nginx nginx-light
need wrk wrk
[ -x "$bench" ] || { echo "http_vs_nginx: $bench is not built (./dev build)" >&2; exit 69; }

dir=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap cleanup EXIT

body='hello from one thread\n'
"$bench" serve 127.0.0.1:0 >"$dir/fathom.address" &
pids+=($!)

# nginx cannot report a port that the kernel chose, so free ones are tried.
start_nginx() {
  cat >"$dir/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $dir/body;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
  default_type text/plain;
  server { listen 127.0.0.1:$1; location / { return 200 "$body"; } }
}
CONF
  nginx -e "$dir/error.log" -p "$dir" -c "$dir/nginx.conf" &
  nginx_pid=$!
  for _ in $(seq 100); do
    kill -0 "$nginx_pid" 2>/dev/null || return 1
    [ -s "$dir/nginx.pid" ] && return 0
    sleep 0.05
  done
  kill "$nginx_pid"
  return 1
}
for port in $(shuf -i 20000-29999 -n 5); do
  if start_nginx "$port"; then pids+=("$nginx_pid"); nginx_address=127.0.0.1:$port; break; fi
done
if [ -z "${nginx_address:-}" ]; then
  echo "http_vs_nginx: nginx does not start:" >&2
  cat "$dir/error.log" >&2
  exit 1
fi
for _ in $(seq 100); do [ -s "$dir/fathom.address" ] && break; sleep 0.05; done
fathom_address=$(cat "$dir/fathom.address")

# One round against ADDRESS: "requests/s p99".
drive() {
  wrk -t1 -c"$connections" -d"${seconds_each}s" --latency "http://$1/" >"$dir/wrk"
  grep -q 'Non-2xx' "$dir/wrk" && { cat "$dir/wrk" >&2; exit 1; }
  awk '/Requests\/sec/ { rate = $2 } $1 == "99%" { p99 = $2 } END { print rate, p99 }' "$dir/wrk"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

row() { printf '%-8s %14s %9s   %14s %9s\n' "$@"; }
row round 'fathom req/s' p99 'nginx req/s' p99
for round in $(seq "$rounds"); do
  read -r fathom_rate fathom_p99 <<<"$(drive "$fathom_address")"
  read -r nginx_rate nginx_p99 <<<"$(drive "$nginx_address")"
  row "$round" "$fathom_rate" "$fathom_p99" "$nginx_rate" "$nginx_p99"
  echo "$fathom_rate" >>"$dir/fathom.rates"
  echo "$nginx_rate" >>"$dir/nginx.rates"
done
fathom_median=$(median <"$dir/fathom.rates")
nginx_median=$(median <"$dir/nginx.rates")
awk -v f="$fathom_median" -v n="$nginx_median" -v least=$ratio_promised 'BEGIN {
  printf "fathom / nginx = %.2f (promised: at least %.1f)\n", f / n, least
  exit f / n < least
}'
