"""Judges a stream of bundles with docs/verify_bundle.py and docs/verify.py in one process. Each frame on standard input is a line
of JSON with the trust and the size, then that many octets; the answer is a line of JSON: for each of the two, exit code and reason.
A line with a record's payload instead is answered by what verify_bundle.py says of its attributes."""
import io
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "docs"))
sys.dont_write_bytecode = True
import verify
import verify_bundle

tables = verify_bundle.read_tables(verify_bundle.DOCUMENT.read_text())


def attributes(payload):
    verify_bundle.check_attributes(tables["common"], payload["common"], "common: ")
    verify_bundle.check_attributes(tables[payload["span"]], payload["attrs"], "")


stream = sys.stdin.buffer
while header := stream.readline():
    header = json.loads(header)
    if "payload" in header:
        print(json.dumps(verify.judge(attributes, header["payload"])), flush=True)
        continue
    bundle = stream.read(header["size"])
    more = [header.get("log"), header.get("witnesses", ()), header.get("overseers", ())]
    whole = verify.judge(verify_bundle.verify, bundle, header["run_keys"], (), header["any_exporter"], *more)
    evidence = verify.judge(verify.verify, io.BytesIO(bundle), header["run_keys"], header.get("log"))
    print(json.dumps([whole, evidence]), flush=True)
