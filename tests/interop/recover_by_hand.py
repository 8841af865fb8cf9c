"""Opens the sealed secret of a database, by what docs/storage.md says and nothing else of rekey's.

usage: recover_by_hand.py DATABASE KEK_FILE      (or --passphrase FILE in the place of KEK_FILE)
"""
import base64, hashlib, hmac, json, sqlite3, sys
from jwcrypto import jwe, jwk


def kek_bytes(data: bytes) -> bytes:
    if len(data) == 32:
        return data
    text = data.decode().strip()
    if len(text) == 64:
        return bytes.fromhex(text)
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_").rstrip("=") + "=")


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def named(key: bytes, label: bytes) -> str:
    return b64url(hmac.new(key, label, hashlib.sha256).digest())[:16]


database, *source = sys.argv[1:]
rows = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
meta = dict(rows.execute("SELECT key, value FROM rekey_meta"))
record = json.loads(meta["kek"])
data = open(source[-1], "rb").read()
if source[0] == "--passphrase":
    s = record["scrypt"]
    salt = base64.urlsafe_b64decode(s["salt"] + "==")
    key = hashlib.scrypt(data.rstrip(b"\r\n"), salt=salt, n=s["N"], r=s["r"], p=s["p"], maxmem=2**28, dklen=32)
else:
    key = kek_bytes(data)
assert named(key, b"rekey kek id v1") == record["id"], "another KEK"

version, kid = rows.execute("SELECT version, kid FROM rekey_versions WHERE state = 'current'").fetchone()
(sealed,) = rows.execute("SELECT value FROM settings WHERE key = 'jwt_secret'").fetchone()
token = jwe.JWE()
token.deserialize(sealed, jwk.JWK(kty="oct", k=b64url(key)))
binding = json.loads(token.objects["protected"])["rekey"]
value = token.payload.decode()
assert binding == {"app": meta["app"], "use": "secret", "version": version, "secret_kid": kid}, "another version's"
assert named(value.encode(), b"rekey kid v1") == kid, "not what its row says"
print(value)
