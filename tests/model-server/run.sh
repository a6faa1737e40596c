#!/bin/sh
# Runs a command with a real model server beside it:
#
#     tests/model-server/run.sh cargo test -p fuze-model --test real_server
#
# The command finds the server in FUZE_MODEL_URL, and FUZE_REQUIRE_MODEL=1 says that there is one. Its exit code is this
# script's. The server takes a free port on loopback and ends with this script, however that ends.
set -eu

if [ $# -eq 0 ]; then
    echo "usage: $0 <command> [argument...]" >&2
    exit 64
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
wait_seconds=${FUZE_MODEL_WAIT_SECONDS:-120}
python=$("$here/setup.sh")
log=$(mktemp)
server=

stop() {
    code=$?
    trap - EXIT HUP INT TERM
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -f "$log"
    exit "$code"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"$python" "$here/serve.py" >"$log" 2>&1 &
server=$!

url=
waited=0
while [ -z "$url" ]; do
    url=$(sed -n 's/^listening //p' "$log")
    [ -n "$url" ] && break
    if ! kill -0 "$server" 2>/dev/null || [ "$waited" -ge $((wait_seconds * 5)) ]; then
        echo "model-server: no server after $((waited / 5)) s; its output:" >&2
        cat "$log" >&2
        exit 1
    fi
    sleep 0.2
    waited=$((waited + 1))
done
echo "model-server: $url" >&2

FUZE_MODEL_URL=$url FUZE_REQUIRE_MODEL=1 "$@"
