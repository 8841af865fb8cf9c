// A program that verifies tokens by the file of keys that `exec --keys-file` gives it, with PyJWT. It reads the file at
// its start and on SIGHUP, or for each request. It answers 204 or 401. Of each reading it says how old the file was when
// that was done: a program that was stopped by the machine meanwhile could not do as it was told in time.
const SOURCE = `
import base64, json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import jwt

each = "each" in sys.argv

def read():
    with open(os.environ["REKEY_KEYS_FILE"]) as file:
        found = json.load(file)["keys"]
        written = os.fstat(file.fileno()).st_mtime
    keys = {key["kid"]: (base64.urlsafe_b64decode(key["k"] + "=="), key["alg"]) for key in found}
    return keys, written

def load():
    global keys
    keys, written = read()
    age = round((time.time() - written) * 1000)
    os.write(1, f"read {age} {' '.join(keys)}\\n".encode())

def follow():
    while signal.sigwait([signal.SIGHUP]):
        load()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        known = read()[0] if each else keys
        token = self.headers["Authorization"].split()[1]
        try:
            key, alg = known[jwt.get_unverified_header(token)["kid"]]
            jwt.decode(token, key, algorithms=[alg])
            status = 204
        except (KeyError, jwt.InvalidTokenError):
            status = 401
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

if not each:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    load()
    threading.Thread(target=follow, daemon=True).start()
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

/** How a program first read a key in its file. */
export interface Reading {
  /** How old the file was when that was done, in milliseconds. */
  readonly age: number;
  /** Whether the key was the current one by then, and not the next. */
  readonly isCurrent: boolean;
}

/** @param stdout what the program has said. @returns `undefined` while it has not read the key. */
export function readingOf(stdout: string, kid: string): Reading | undefined {
  const line = stdout.split("\n").slice(0, -1).map((line) => line.split(" "))
    .find(([what, , ...kids]) => what === "read" && kids.includes(kid));
  return line && { age: Number(line[1]), isCurrent: line[2] === kid };
}
