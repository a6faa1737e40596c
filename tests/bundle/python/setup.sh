#!/bin/sh
# Makes a virtual environment beside this script (or in $FUZE_VERIFY_VENV) with the pinned wheels. Does nothing when that is done
# already. Prints the path of its Python.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${FUZE_VERIFY_VENV:-"$here/.venv"}
AICS=aics-tlog==0.2.1
wanted="$AICS $(cksum <"$here/requirements.txt")"
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
            # Its metadata asks for Python 3.12; the code runs on older ones too.
            "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --only-binary :all: --no-deps \
                --python-version 3.12 --dest "$venv/wheels" "$AICS" >&2
            "$venv/bin/python" -c 'import sys, sysconfig, zipfile
zipfile.ZipFile(sys.argv[1]).extractall(sysconfig.get_path("purelib"))' "$venv"/wheels/aics_tlog-*.whl
            printf '%s\n' "$wanted" >"$stamp"
        fi
    ) 9>"$venv.lock"
fi
echo "$venv/bin/python"
