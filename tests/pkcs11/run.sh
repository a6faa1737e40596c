#!/usr/bin/env bash
# Makes a token of SoftHSM2 in a directory of its own and runs the tests that need one. Needs softhsm2 (Debian's package is
# installed where this may be done).
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v softhsm2-util >/dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo apt-get update -qq
  $sudo apt-get install -y --no-install-recommends softhsm2 >/dev/null
fi
module=""
for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so; do
  [ -f "$path" ] && module="$path" && break
done
[ -n "$module" ] || { echo "softhsm2 is installed but libsofthsm2.so was not found" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$scratch/tokens" > "$scratch/softhsm2.conf"
export SOFTHSM2_CONF="$scratch/softhsm2.conf"
pin=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
softhsm2-util --init-token --free --label fuze-test --so-pin "$pin" --pin "$pin" >/dev/null

export FUZE_PKCS11_MODULE="$module" FUZE_PKCS11_TOKEN=fuze-test FUZE_PKCS11_PIN="$pin" FUZE_REQUIRE_PKCS11=1
# One after the other: the tests also reach into the token by themselves, and a library that begins twice at once may crash.
cargo test -p fuze-evidence -p fuze-cli --features fuze-evidence/pkcs11,fuze-cli/pkcs11 --test pkcs11 -- --test-threads=1
