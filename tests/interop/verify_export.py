"""Checks exports of an audit log without rekey: KEY NOTES, and on stdin one export a line, as JSON."""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def tree(rows, pruned, start, end):
    """RFC 9162, section 2.1.1: of the rows from start to end, without those that are known by a hash only."""
    if (start, end) in pruned:
        return pruned[start, end]
    if end - start == 1:
        return hashlib.sha256(b"\x00" + rows[start]).digest()
    half = 1
    while half * 2 < end - start:
        half *= 2
    left, right = tree(rows, pruned, start, start + half), tree(rows, pruned, start + half, end)
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(start, end):
    """The largest complete subtrees between two rows."""
    while start < end:
        width = 1
        while start % (2 * width) == 0 and start + 2 * width <= end:
            width *= 2
        yield start, start + width
        start += width


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


def parts(exported):
    """Rows by their place, gaps as (start, end), hashes of pruned rows, and what the newest pruning says."""
    rows, gaps, pruned, named, at = {}, [], {}, None, 0
    for line in exported.split("\n")[:-1]:
        part = json.loads(line)
        if "pruned" in part:
            first, end = part["pruned"]
            places = list(subtrees(at, end))
            hashes = [base64.b64decode(text, validate=True) for text in part["tree"]]
            assert first == at + 1 and end > at and len(hashes) == len(places)
            assert [base64.b64encode(one).decode() for one in hashes] == part["tree"]
            pruned.update(zip(places, hashes))
            gaps.append((at, end))
            at = end
        else:
            assert part["seq"] == at + 1
            rows[at] = line.encode()
            at += 1
            if part["event"] == "Audit log pruned":
                named = at, part["reason"].rsplit("gaps sha256:", 1)[1]
    return rows, gaps, pruned, named, at


def is_whole(exported, checkpoints):
    try:
        rows, gaps, pruned, named, end = parts(exported)
    except (AssertionError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return False
    covered = 0
    for size, root in checkpoints:
        # What was signed in the middle of pruned rows cannot be compared.
        if any(start < size < last for start, last in gaps):
            continue
        if size > end or tree(rows, pruned, 0, size) != root:
            return False
        covered = max(covered, size)
    if not gaps:
        return True
    text = "".join(f"{start + 1}-{last}\n" for start, last in gaps)
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return named is not None and named[0] <= covered and named[1] == digest


try:
    CHECKPOINTS = list(opened(sys.argv[1], open(sys.argv[2], encoding="utf-8").read()))
except InvalidSignature:
    sys.exit("a checkpoint is not signed with this key")
print(len(CHECKPOINTS), "checkpoints")
for line in sys.stdin:
    print("whole" if is_whole(json.loads(line), CHECKPOINTS) else "broken")
