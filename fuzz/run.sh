#!/usr/bin/env bash
# Fuzzes every parser. `run.sh smoke` does so many inputs each; `run.sh SECONDS [TARGET]` fuzzes for that long.
# The corpus begins with the worked example of `docs/evidence-format.md`; what the fuzzer adds is not kept in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
mode="${1:?smoke, or seconds}"

FUZZ=0.13.1
if ! cargo fuzz --version 2>/dev/null | grep -qF "$FUZZ"; then
  cargo install --quiet --locked "cargo-fuzz@$FUZZ"
fi

# Every fenced JSON line of the example is a seed; the four files together, separated by 0xFF, are the seed of `run`.
corpus=fuzz/corpus
mkdir -p "$corpus/lines" "$corpus/run"
awk '/<!-- example -->/ {on=1} /<!-- end of example -->/ {on=0} on && /^{/' docs/evidence-format.md |
  split --lines=1 --additional-suffix=.json - "$corpus/lines/seed-"
awk '/<!-- example -->/ {on=1} /<!-- end of example -->/ {on=0}
     on && /^`[a-z]*\.jsonl`:/ {if (n++) printf "\377"} on && /^{/ {print}' docs/evidence-format.md |
  awk '{print}' > "$corpus/all.bin"
# The document has records, roots, content, keys in the order that the target wants.
cp "$corpus/all.bin" "$corpus/run/seed"

targets="${2:-$(cargo +nightly fuzz list)}"
for target in $targets; do
  mkdir -p "$corpus/$target"
  limit=(-max_total_time="$mode")
  [ "$mode" = smoke ] && limit=(-runs=20000)
  echo "=== $target"
  cargo +nightly fuzz run --target-dir target/fuzz "$target" "$corpus/$target" "$corpus/lines" -- \
    "${limit[@]}" -max_len=65536 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 2>&1 |
    grep -E '^(stat::number_of_executed_units|stat::new_units_added|Done|==|SUMMARY|thread|artifact)|panicked|ERROR' || {
      echo "fuzz target $target failed" >&2
      exit 1
    }
done
