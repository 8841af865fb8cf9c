import { quoted, RekeyError } from "../core/errors.ts";
import { EtcdClient } from "../etcd/client.ts";

type Variable = (name: string) => string | undefined;

// A proxy would read what is not encrypted, and could answer in etcd's place.
const NO_PROXY = "localhost,127.0.0.1,::1";

/**
 * A client of the etcd that the `REKEY_ETCD_*` variables name; `undefined` when they name none.
 *
 * @throws {RekeyError} `usage` when one of them cannot be used.
 */
export function etcdFrom(variable: Variable): EtcdClient | undefined {
  const text = variable("REKEY_ETCD_ENDPOINTS");
  if (text === undefined) return undefined;
  const endpoints = text.split(",").map((part) => endpoint(part.trim()));
  if (endpoints.some((url) => url.startsWith("http:"))) {
    const others = variable("NO_PROXY") ?? variable("no_proxy");
    Deno.env.set("NO_PROXY", others === undefined ? NO_PROXY : `${others},${NO_PROXY}`);
  }
  const file = (name: string) => {
    const path = variable(name);
    return path === undefined ? undefined : contents(path, name);
  };
  const [cert, key] = [file("REKEY_ETCD_CERT"), file("REKEY_ETCD_KEY")];
  if ((cert === undefined) !== (key === undefined)) {
    throw usage(
      "Cannot use a client certificate without its key",
      "Set both REKEY_ETCD_CERT and REKEY_ETCD_KEY",
    );
  }
  return new EtcdClient({
    endpoints,
    prefix: prefix(variable("REKEY_ETCD_PREFIX") ?? "/rekey/"),
    ca: file("REKEY_ETCD_CA"),
    cert,
    key,
    user: userFrom(variable),
  });
}

function userFrom(variable: Variable) {
  const name = variable("REKEY_ETCD_USER");
  if (name === undefined) return undefined;
  const path = variable("REKEY_ETCD_PASSWORD_FILE");
  if (path === undefined) {
    throw usage(
      "Cannot log in to etcd without a password",
      "Name its file by REKEY_ETCD_PASSWORD_FILE",
    );
  }
  const password = () => contents(path, "REKEY_ETCD_PASSWORD_FILE").replace(/\r?\n$/, "");
  return { name, password };
}

// Who is on the way could keep a machine from hearing of a rotation.
function endpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const near = ["localhost", "127.0.0.1", "[::1]"].includes(url?.hostname ?? "");
  const safe = url?.protocol === "https:" || (url?.protocol === "http:" && near);
  const rest = `${url?.username}${url?.password}${url?.pathname}${url?.search}${url?.hash}`;
  if (url !== undefined && safe && rest === "/") {
    return url.origin;
  }
  throw usage(
    "Cannot use an address of REKEY_ETCD_ENDPOINTS",
    "Write them as https://HOST:2379 with commas in between; http: is for this machine only",
  );
}

function prefix(text: string): string {
  if (/^[\w./-]{1,200}$/.test(text)) return text.endsWith("/") ? text : `${text}/`;
  throw usage(`Cannot use ${quoted(text)} as REKEY_ETCD_PREFIX`, "Use letters, digits and /._-");
}

function contents(path: string, name: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new RekeyError("usage", `Cannot read the file of ${name}`, {
      hint: "Name a file that this user may read",
      cause,
    });
  }
}

function usage(message: string, hint: string): RekeyError {
  return new RekeyError("usage", message, { hint });
}
