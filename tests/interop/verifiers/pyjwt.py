import sys

import jwt

url, seconds = sys.argv[1:3]
client = jwt.PyJWKClient(url, lifespan=int(seconds))
algorithms = ["ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"]
for line in sys.stdin:
    token = line.strip()
    try:
        key = client.get_signing_key_from_jwt(token)
        jwt.decode(token, key.key, algorithms=algorithms)
        print("accepted", flush=True)
    except jwt.PyJWTError as error:
        print(f"refused: {error}", flush=True)
