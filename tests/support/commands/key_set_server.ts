// A program that verifies tokens by the file of keys that `exec --keys-file` gives it, with PyJWT. It reads the file at
// its start and on SIGHUP, or for each request. It answers 204 or 401.
const SOURCE = `
import base64, json, os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import jwt

def load(*_):
    global keys
    with open(os.environ["REKEY_KEYS_FILE"]) as file:
        found = json.load(file)["keys"]
    keys = {key["kid"]: (base64.urlsafe_b64decode(key["k"] + "=="), key["alg"]) for key in found}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if "each" in sys.argv: load()
        token = self.headers["Authorization"].split()[1]
        try:
            key, alg = keys[jwt.get_unverified_header(token)["kid"]]
            jwt.decode(token, key, algorithms=[alg])
            status = 204
        except (KeyError, jwt.InvalidTokenError):
            status = 401
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

load()
signal.signal(signal.SIGHUP, load)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
os.write(1, f"ready {server.server_port} {os.environ['REKEY_KEYS_FILE']}\\n".encode())
server.serve_forever()
`;

/**
 * The program, for {@linkcode Running.start}: it says `ready`, its port, and the path of its file.
 *
 * @param options `each`: it reads the file for each request.
 */
export const keySetServer = (
  ...options: "each"[]
) => ["/usr/bin/python3", "-c", SOURCE, ...options];

/** What the server answers to a token. */
export async function answerTo(token: string, port: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers });
  await response.body?.cancel();
  return response.status;
}
