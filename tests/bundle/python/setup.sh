#!/bin/sh
# Makes a virtual environment beside this script (or in $FUZE_VERIFY_VENV) with the pinned wheels. Does nothing when that is done
# already. Prints the path of its Python.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${FUZE_VERIFY_VENV:-"$here/.venv"}
wanted=$(cksum <"$here/requirements.txt")
stamp=$venv/installed

installed() {
    [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]
}

if ! installed; then
    mkdir -p "$venv"
    (
        # Two test runs at once: the second waits, and then finds it done.
        if command -v flock >/dev/null 2>&1; then
            flock -w 600 9
        fi
        if ! installed; then
            rm -f "$stamp"
            python3 -m venv "$venv" >&2
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
                --requirement "$here/requirements.txt" >&2
            printf '%s\n' "$wanted" >"$stamp"
        fi
    ) 9>"$venv.lock"
fi
echo "$venv/bin/python"
