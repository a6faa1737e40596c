#!/bin/sh
# build.sh <go> <place>: builds main.go in <place> with the packages that the toolchain itself carries under cmd/vendor. Needs no
# network, and copies nothing of them. Prints the path of the program.
set -eu

go=$1
place=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$("$go" env GOROOT)

mkdir -p "$place/vendor/golang.org/x"
ln -sfn "$root/src/cmd/vendor/golang.org/x/mod" "$place/vendor/golang.org/x/mod"
cp "$here/main.go" "$place/main.go"
cat >"$place/go.mod" <<'MOD'
module bundle.test/check

go 1.25.0

require golang.org/x/mod v0.0.0
MOD
cat >"$place/vendor/modules.txt" <<'MOD'
# golang.org/x/mod v0.0.0
## explicit; go 1.25.0
golang.org/x/mod/sumdb/note
golang.org/x/mod/sumdb/tlog
MOD
cd "$place"
GOFLAGS=-mod=vendor GOPROXY=off GOTOOLCHAIN=local GOWORK=off GOCACHE="$place/cache" CGO_ENABLED=0 "$go" build -o check . >&2
echo "$place/check"
