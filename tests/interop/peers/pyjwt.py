import base64
import json
import sys

import jwt

mode, alg = sys.argv[1:]
ask = json.load(sys.stdin)
key = base64.b64decode(ask["key"]) if ask["form"] == "raw" else ask["key"]
if mode == "sign":
    print(jwt.encode(ask["claims"], key, algorithm=alg, headers=ask.get("header")))
else:
    try:
        print(json.dumps(jwt.decode(ask["token"], key, algorithms=[alg])))
    except jwt.InvalidTokenError as error:
        print(f"refused: {error}", file=sys.stderr)
        sys.exit(1)
