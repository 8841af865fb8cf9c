"""Checks exports of an audit log without rekey: KEY NOTES, and on stdin one export a line, as JSON."""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def tree(entries):
    """RFC 9162, section 2.1.1."""
    if len(entries) == 0:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return hashlib.sha256(b"\x01" + tree(entries[:half]) + tree(entries[half:])).digest()


def opened(key, notes):
    name, _, encoded = key.strip().split("+", 2)
    public = base64.b64decode(encoded)
    identity = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    verifier = Ed25519PublicKey.from_public_bytes(public[1:])
    lines = notes.split("\n")
    while len(lines) > 1:
        end = lines.index("")
        text, signature = "\n".join(lines[:end]) + "\n", lines[end + 1].split(" ")
        given = base64.b64decode(signature[2])
        assert signature[:2] == ["\u2014", name] and given[:4] == identity
        verifier.verify(given[4:], text.encode())
        origin, size, root, _ = text.split("\n", 3)
        assert origin == name
        yield int(size), base64.b64decode(root)
        lines = lines[end + 2:]


def is_whole(exported, checkpoints):
    rows = exported.split("\n")[:-1]
    try:
        if [json.loads(row)["seq"] for row in rows] != list(range(1, len(rows) + 1)):
            return False
    except (ValueError, KeyError, TypeError):
        return False
    rows = [row.encode() for row in rows]
    return all(size <= len(rows) and tree(rows[:size]) == root for size, root in checkpoints)


try:
    CHECKPOINTS = list(opened(sys.argv[1], open(sys.argv[2], encoding="utf-8").read()))
except InvalidSignature:
    sys.exit("a checkpoint is not signed with this key")
print(len(CHECKPOINTS), "checkpoints")
for line in sys.stdin:
    print("whole" if is_whole(json.loads(line), CHECKPOINTS) else "broken")
