"""Judges a stream of bundles with docs/verify.py in one process. Each frame on standard input is a line of JSON with the trust
and the size, then that many octets; the answer is a line: exit code, tab, reason."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "docs"))
sys.dont_write_bytecode = True
import verify

stream = sys.stdin.buffer
while header := stream.readline():
    header = json.loads(header)
    code, said = verify.judge(stream.read(header.pop("size")), **header)
    print(f"{code}\t{said!r}", flush=True)
