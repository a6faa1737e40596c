"""Checks that a leaf stands in a log, with PyPI's aics-tlog. Arguments: files with the verifier key, the leaf, the tlog-proof."""
import base64
import pathlib
import sys

import aics_tlog


def holds(vkey, leaf, proof):
    head, _, note = proof.partition(b"\n\n")
    lines = head.decode().split("\n")
    key = aics_tlog.parse_vkey(vkey.decode().rstrip("\n"))
    try:
        note = aics_tlog.parse_note(note)
        if not aics_tlog.verify_checkpoint(note, key, expected_origin=key.name).log_ok:
            return False
        checkpoint = aics_tlog.parse_checkpoint(note.text)
        hashes = [base64.b64decode(line, validate=True) for line in lines[2:]]
        index = int(lines[1].removeprefix("index "))
    except ValueError:
        return False
    return aics_tlog.verify_leaf_inclusion(leaf, index, checkpoint.size, hashes, checkpoint.root)


sys.exit(0 if holds(*(pathlib.Path(path).read_bytes() for path in sys.argv[1:4])) else 1)
