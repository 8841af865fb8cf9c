// Programs in Python for `rekey exec`. They compute from the value that they are given and never print it.

const KID = `
import base64, hashlib, hmac, os, signal, sys, time
def mac(text, algorithm="sha256", name="JWT_SECRET"):
    digest = hmac.new(os.environ[name].encode(), text.encode(), algorithm).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
def kid(name="JWT_SECRET"):
    return mac("rekey kid v1", name=name)[:16]
# Not by print, which a signal's handler must not call while it is at work.
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
`;

const python = (text: string, ...args: string[]) => ["/usr/bin/python3", "-c", KID + text, ...args];

/** Says the kid of the value in a variable, the variable's length, and whether it signed the token on stdin. */
export const verifier = (name = "JWT_SECRET") =>
  python(
    `
name = sys.argv[1]
signed, signature = sys.stdin.read().strip().rsplit(".", 1)
say(kid(name), len(os.environ[name]), mac(signed, "sha512", name) == signature, os.environ["REKEY_KID"])
`,
    name,
  );

/**
 * Goes on until it is ended, says the kid of its value at the start, and each signal that it is sent, with the
 * milliseconds since 1970. @param options `deaf`: SIGTERM does not end it; otherwise it ends with status 21.
 */
export const listener = (...options: "deaf"[]) =>
  python(
    `
def heard(number, frame):
    say(signal.Signals(number).name, int(time.time() * 1000))
    if number == signal.SIGTERM and "deaf" not in sys.argv: sys.exit(21)
for number in [1, 2, 3, 10, 12, 15, 18, 28]: signal.signal(number, heard)
say("ready", os.getpid(), kid())
while True: time.sleep(60)
`,
    ...options,
  );

/** On SIGTERM it takes until a SIGINT has come too, then it ends with status 22. */
export const slow = python(`
told = []
def heard(number, frame):
    say("ending")
    while not told: time.sleep(0.02)
    sys.exit(22)
signal.signal(15, heard)
signal.signal(2, lambda number, frame: told.append(number))
say("ready", os.getpid(), kid())
while True: time.sleep(60)
`);

/** Runs a line of arguments and says how it ended: a status, or a signal's number below zero. */
export const observer = (...line: string[]) =>
  python(
    `
import subprocess
say(subprocess.run(sys.argv[1:]).returncode)
`,
    ...line,
  );

/** Runs a line of arguments on a terminal, types Ctrl-C into it once it is ready, and says what it wrote. */
export const typist = (...line: string[]) =>
  python(
    `
import pty, select
child, terminal = pty.fork()
if child == 0: os.execv(sys.argv[1], sys.argv[1:])
written = b""
def read(seconds):
    global written
    while select.select([terminal], [], [], seconds)[0]:
        try: part = os.read(terminal, 65536)
        except OSError: return
        if not part: return
        written += part
        if b"ready" in written and seconds > 2: return
read(20)
os.write(terminal, b"\\x03")
read(1)
os.kill(child, signal.SIGTERM)
read(1)
os.killpg(child, signal.SIGKILL)
sys.stdout.buffer.write(written)
`,
    ...line,
  );
