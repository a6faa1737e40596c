#!/bin/sh
# Runs a command with a real Cerbos beside it.
#
#     tests/policy/run.sh cargo test -p fuze-agent-policy-tests
#
# The command finds the binary in FUZE_CERBOS, and FUZE_REQUIRE_CERBOS=1 says that it must be there. Its exit code is this script's. The
# binary is fetched once, from npm, checked against its hash, into $FUZE_CERBOS_DIR or beside this script.
set -eu

VERSION=0.55.0
SHA256=dab3152a1530bec16b945473e9aea9af493fee123c477c4196a990fad58656d1

if [ $# -eq 0 ]; then
    echo "usage: $0 <command> [argument...]" >&2
    exit 64
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
into=${FUZE_CERBOS_DIR:-"$here/.cerbos"}
binary=$into/package/cerbos-linux-x64

if [ "$(cat "$into/installed" 2>/dev/null)" != "$SHA256" ]; then
    echo "policy: installing Cerbos $VERSION into $into" >&2
    mkdir -p "$into"
    (cd "$into" && npm pack --silent "@cerbos/cerbos-linux-x64@$VERSION" >/dev/null)
    archive=$into/cerbos-cerbos-linux-x64-$VERSION.tgz
    printf '%s  %s\n' "$SHA256" "$archive" | sha256sum --check --quiet - >&2
    tar -xzf "$archive" -C "$into"
    rm "$archive"
    printf '%s\n' "$SHA256" >"$into/installed"
fi

FUZE_CERBOS=$binary FUZE_REQUIRE_CERBOS=1 "$@"
