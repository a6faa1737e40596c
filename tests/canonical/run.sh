#!/bin/sh
# Asks other implementations of the canonical form about our values: Node's own JSON.stringify, and `rfc8785` from PyPI.
#
#     tests/canonical/run.sh cargo test -p fuze-evidence --test jcs_peers
#
# The command finds a Python that has `rfc8785` in FUZE_CANONICAL_PYTHON, and FUZE_REQUIRE_PEERS=1 says that both must be there.
# Its exit code is this script's. The environment is made beside this script, or in $FUZE_CANONICAL_VENV, once.
set -eu

if [ $# -eq 0 ]; then
    echo "usage: $0 <command> [argument...]" >&2
    exit 64
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${FUZE_CANONICAL_VENV:-"$here/.venv"}
wanted=$(cksum <"$here/requirements.txt")

if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    echo "canonical: installing the pinned wheel into $venv" >&2
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
        --requirement "$here/requirements.txt" >&2
    printf '%s\n' "$wanted" >"$venv/installed"
fi

FUZE_CANONICAL_PYTHON=$venv/bin/python FUZE_REQUIRE_PEERS=1 "$@"
