#!/usr/bin/env bash
# The figures about building: crates of others, C compilers, CPU seconds of a clean debug build, lines of what an author writes.
# Fails where one is missed. `--no-build` leaves the clean builds out; JOBS (default 2) is how many compilers run at once.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
missed=0

# what, found, at most
figure() {
    local held=held
    awk -v found="$2" -v most="$3" 'BEGIN { exit !(found + 0 <= most + 0) }' || { held=MISSED; missed=1; }
    printf '%-58s %8s  at most %5s  %s\n' "$1" "$2" "$3" "$held"
}

# edges, features
tree() {
    cargo tree --quiet --locked -p fuze-agent -e "$1" --features "${2:-}" --prefix none --format '{p}' | sed 's/ (\*)$//' | sort -u
}

# Each in a line of its own: where the tree cannot be had, the script ends here instead of counting nothing.
normal=$(tree normal)
build=$(tree normal,build)
figure 'crates of others in fuze-agent, default features' "$(grep -vc ' (/' <<<"$normal")" 75
figure '  with build scripts and procedural macros' "$(grep -vc ' (/' <<<"$build")" 75
cerbos=$(tree normal cerbos)
schema=$(tree normal cerbos-schema)
c=$(grep -E '^(cc|cmake|bindgen|nasm-rs|autotools|pkg-config|vcpkg|[a-z0-9_-]+-sys) ' <<<"$build" || true)
[ -z "$c" ] || printf '%s\n' "$c"
figure '  that build C or link to it' "$(printf '%s' "$c" | grep -c . || true)" 0
figure '  with the feature cerbos' "$(grep -vc ' (/' <<<"$cerbos")" 115
figure '  with the feature cerbos-schema' "$(grep -vc ' (/' <<<"$schema")" 150

# Lines that are neither blank nor a plain comment; a tool's doc comment is part of its declaration.
lines() {
    grep -cvE '^[[:space:]]*(//([^/].*)?)?$' || true
}
figure 'lines of a typed, compliant tool and agent (examples/hello)' \
    "$(sed -n '/^const SHORT/,/^}$/p; /^define_agent/,/^}$/p' examples/hello.rs | awk '!seen[NR]++' | lines)" 25
figure 'lines of a durable, signed approval (examples/approval)' \
    "$(sed -n '/approval: from here/,/approval: to here/p' examples/approval.rs | lines)" 40

if [ "${1:-}" != --no-build ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Each in a package of its own under cargo's own debug profile, so that nothing but the library differs.
    package() {
        mkdir -p "$work/$1/src"
        touch "$work/$1/src/lib.rs"
        printf '[package]\nname = "figure"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n%s\n' "$2" >"$work/$1/Cargo.toml"
        cp "$3" "$work/$1/Cargo.lock"
        (cd "$work/$1" && cargo fetch --quiet)
    }
    seconds() {
        local TIMEFORMAT='%U %S'
        { time (cd "$work/$1" && CARGO_TARGET_DIR="$work/$1/target" cargo build --quiet --offline -j "${JOBS:-2}" 2>/dev/null); } 2>&1 |
            tail -n 1 | awk '{ printf "%.1f", $1 + $2 }'
    }
    package ours "fuze-agent = { path = \"$root/fuze-agent\" }" Cargo.lock
    package rig 'rig-core = "=0.44.0"' benches/peers/Cargo.lock
    theirs=$(seconds rig)
    ours=$(seconds ours)
    printf 'CPU seconds of a clean debug build: fuze-agent %s, rig-core 0.44 %s\n' "$ours" "$theirs"
    figure '  ratio' "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')" 0.7
fi
exit $missed
