#!/usr/bin/env bash
# Fuzzes every parser. `run.sh smoke` gives each target a few seconds; `run.sh SECONDS [TARGET…]` that long, and keeps what it finds.
# The corpus begins with the worked example of `docs/evidence-format.md`, a sample bundle and `fuzz/seeds`; what the fuzzer adds is not
# kept in the repository. Ends with a line for each target: inputs, time, coverage.
set -euo pipefail
cd "$(dirname "$0")/.."
mode="${1:?smoke, or seconds}"
shift

# The compiler that the figures in `docs/figures.md` are of.
NIGHTLY=nightly-2026-05-20 OF=2026-05-19
if rustc +nightly --version 2>/dev/null | grep -qF "$OF"; then
  NIGHTLY=nightly
elif ! rustc "+$NIGHTLY" --version >/dev/null 2>&1; then
  rustup toolchain install "$NIGHTLY" --profile minimal
fi
FUZZ=0.13.1
if ! cargo fuzz --version 2>/dev/null | grep -qF "$FUZZ"; then
  cargo install --quiet --locked "cargo-fuzz@$FUZZ"
fi

# Every fenced JSON line of the example is a seed; the four files together, separated by 0xFF, are the seed of `run`.
corpus=$PWD/fuzz/corpus
mkdir -p "$corpus/lines" "$corpus/run" "$corpus/bundle"
awk '/<!-- example -->/ {on=1} /<!-- end of example -->/ {on=0} on && /^{/' docs/evidence-format.md |
  split --lines=1 --additional-suffix=.json - "$corpus/lines/seed-"
# A line is what stands before its line feed.
for seed in "$corpus"/lines/seed-*; do
  printf %s "$(cat "$seed")" >"$seed.new"
  mv "$seed.new" "$seed"
done
awk '/<!-- example -->/ {on=1} /<!-- end of example -->/ {on=0}
     on && /^`[a-z]*\.jsonl`:/ {if (n++) printf "\377"} on && /^{/ {print}' docs/evidence-format.md >"$corpus/run/seed"
# The target changes one member of this bundle at a time; its key is known to it.
rm -f "$corpus/sample.zip"
cargo run --quiet -p fuze-agent-bundle-tests --example plain -- "$corpus/sample.zip" >/dev/null
cp "$corpus/sample.zip" "$corpus/bundle/sample.zip"

built=${CARGO_TARGET_DIR:-target}/fuzz
cargo "+$NIGHTLY" fuzz build --target-dir "$built" >/dev/null 2>&1 || cargo "+$NIGHTLY" fuzz build --target-dir "$built"
host=$(rustc "+$NIGHTLY" -vV | sed -n 's/^host: //p')

[ $# -gt 0 ] || mapfile -t all < <(cargo "+$NIGHTLY" fuzz list)
[ $# -gt 0 ] && all=("$@")
results=()
for target in "${all[@]}"; do
  mkdir -p "$corpus/$target" "fuzz/artifacts/$target"
  seeds=("$corpus/$target" "$corpus/lines")
  [ -d "fuzz/seeds/$target" ] && seeds+=("fuzz/seeds/$target")
  # The same beginnings each time in CI: a failure there is one of the change.
  limit=(-max_total_time="$mode")
  [ "$mode" = smoke ] && limit=(-max_total_time=5 -seed=1)
  begun=$SECONDS
  if ! "$built/$host/release/$target" "${seeds[@]}" "${limit[@]}" -max_len=131072 -timeout=20 -rss_limit_mb=4096 \
    -artifact_prefix="fuzz/artifacts/$target/" -print_final_stats=1 >"$corpus/$target.log" 2>&1; then
    tail -n 60 "$corpus/$target.log" >&2
    echo "fuzz target $target failed" >&2
    exit 1
  fi
  inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$corpus/$target.log")
  covered=$(sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$corpus/$target.log")
  # A target that does nothing finds nothing.
  if [ "${inputs:-0}" -lt 50 ]; then
    echo "fuzz target $target ran ${inputs:-no} inputs" >&2
    exit 1
  fi
  results+=("$(printf '%-12s %10s inputs %6ss  coverage %s' "$target" "$inputs" "$((SECONDS - begun))" "$covered")")
done
printf '%s\n' "${results[@]}"
