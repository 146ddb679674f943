#!/usr/bin/env bash
# Measures whole programs and prints the median of five runs each: seconds and
# peak memory. Needs GNU time (Debian's package `time`). The benches inside
# crates run with `cargo bench -p baton-c1z`, `-p baton-proto`, `-p baton-query`,
# `-p baton-access`, `-p baton-sync`, `-p baton-crypto`, `-p baton-service` and `-p baton-atlassian`.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
cargo build --release --locked -p baton-atlassian -p baton-cli -p atlassian-sim
bin="$target/release"
work=$(mktemp -d)
simulator=
trap '[ -z "$simulator" ] || kill "$simulator"; rm -rf "$work"' EXIT

# median LABEL COMMAND...: five runs after a warm-up, data thrown away.
median() {
  local label=$1
  shift
  "$@" >/dev/null 2>&1
  for _ in 1 2 3 4 5; do
    /usr/bin/time -f '%e %M' -o "$work/time" "$@" >/dev/null 2>&1
    tail -n 1 "$work/time"
  done | sort -n | sed -n 3p | awk -v label="$label" '{ printf "%-48s %7.2f s  %6.1f MB\n", label, $1, $2 / 1024 }'
}

# serve ARGUMENTS...: a simulator; leaves the command that syncs from it in $sync.
serve() {
  "$bin/atlassian-sim" --seed 7 --port 0 --rate-limit off "$@" >"$work/sim" 2>&1 &
  simulator=$!
  until grep -q '^baton-atlassian' "$work/sim"; do sleep 0.1; done
  sync=$(grep -m 1 '^baton-atlassian' "$work/sim")
}

serve --users 2000 --groups 100 --latency 40ms
median "sync of 2,000 users, 100 groups, 40 ms latency" sh -c "rm -f $work/s.c1z; exec $bin/$sync -f $work/s.c1z"
kill "$simulator"

serve --users 10000 --groups 500 --workspaces 5 --role-holders 20
for plan in auto plain; do
  echo "10,000 users, a fifth with roles, 500 groups, 5 workspaces, --request-plan $plan:"
  "$bin/"${sync} --request-plan $plan -f "$work/$plan.c1z" 2>&1 | grep -E '^[0-9,]+ requests'
done
kill "$simulator"

serve --users 200 --events 110000
since=$(date -u -d '179 days ago' +%Y-%m-%dT%H:%M:%SZ)
events=$("$bin/"${sync} --event-feed --event-feed-start-at "$since" 2>/dev/null | wc -l)
median "$events events of the audit log" sh -c "exec $bin/$sync --event-feed --event-feed-start-at $since"
kill "$simulator"

serve --users 15000 --groups 300
"$bin/"${sync} -f "$work/big.c1z" >/dev/null 2>&1
kill "$simulator"
simulator=
rows=$("$bin/baton" grants -o json -f "$work/big.c1z" 2>/dev/null | grep -o '"grant":' | wc -l)
size=$("$bin/baton" grants -o json -f "$work/big.c1z" 2>/dev/null | wc -c)
echo "a file of $rows grants ($((size / 1000000)) MB as JSON):"
median "baton grants -o json" "$bin/baton" grants -o json -f "$work/big.c1z"
median "baton grants" "$bin/baton" grants -f "$work/big.c1z"
median "baton stats" "$bin/baton" stats -f "$work/big.c1z"

echo "keeping to rate limits, in virtual time:"
cargo bench -q --locked -p baton-atlassian --bench limits

echo "files of 1,000,000 grants and 50,000 users:"
mkdir "$work/million"
cargo bench -q --locked -p baton-c1z --bench seal -- 1 1000 order keep="$work/million"
cargo bench -q --locked -p baton-c1z --bench seal -- 1 1000 beside keep="$work/million"
cargo bench -q --locked -p baton-c1z --bench read -- "$work/million/v3.c1z"
cargo bench -q --locked -p baton-query --bench lookup -- "$work/million/v3.c1z" "$work/million/v1.c1z"
for format in v3 v1 v1-two; do
  median "baton resources, $format" "$bin/baton" resources -f "$work/million/$format.c1z"
done
for format in v3 v1; do
  median "baton grants -o json, $format" "$bin/baton" grants -o json -f "$work/million/$format.c1z"
  list() { median "$1, $format" "$bin/baton" grants --columns grant.id -o ndjson -f "$work/million/$format.c1z" "${@:2}"; }
  list "baton grants, ids of all"
  list "the same, --where 'principal.id == \"x\"'" --where 'principal.id == "x"'
  list "the same, --where on a looked-up name" --where 'principal.display_name.contains("x!")'
  list "the same, --search" --search 'x!y'
  median "baton stats, $format" "$bin/baton" stats -f "$work/million/$format.c1z"
done
for format in v3 v1; do
  file="$work/million/$format.c1z"
  median "baton export csv, $format" "$bin/baton" export csv -f "$file" --out "$work/t.csv"
  median "baton export csv --layout tables, $format" "$bin/baton" export csv --layout tables -f "$file" --out "$work/t.csv"
  median "baton export xlsx --layout tables, $format" "$bin/baton" export xlsx --layout tables -f "$file" --out "$work/t.xlsx"
  median "baton sanitize, $format" sh -c "rm -f $work/s.c1z*; exec $bin/baton sanitize -f $file --out $work/s.c1z"
done
median "baton to-pebble" sh -c "rm -f $work/to.c1z; exec $bin/baton to-pebble -f $work/million/v1.c1z --out $work/to.c1z"
median "baton to-sqlite" sh -c "rm -f $work/to.c1z; exec $bin/baton to-sqlite -f $work/million/v3.c1z --out $work/to.c1z"
