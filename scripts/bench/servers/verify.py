# One verification by a program of its own, as a script would do it: TOKEN, the secret on stdin.
import sys

import jwt

print(jwt.decode(sys.argv[1], sys.stdin.read().strip(), algorithms=["HS512"])["sub"])
