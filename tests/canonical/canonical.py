"""Canonical JSON (RFC 8785) by PyPI's `rfc8785`: one JSON text a line in, one canonical text a line out."""

import json
import sys

import rfc8785

for line in sys.stdin.buffer.read().split(b"\n"):
    if line:
        sys.stdout.buffer.write(rfc8785.dumps(json.loads(line)) + b"\n")
