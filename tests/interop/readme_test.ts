import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { start } from "../../scripts/program.ts";
import { until } from "../support/timing/pause.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { freePorts } from "../support/http/ports.ts";
import { PEERS, Workshop } from "./peers.ts";

const ROOT = join(import.meta.dirname!, "../..");
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));

/** A command of the session, and the lines that README shows of its output. */
interface Step {
  readonly command: string;
  readonly shown: string[];
}

function sessionOf(readme: string): Step[] {
  const [, section] = /^## A session\n([^]*?)^## /m.exec(readme)!;
  const steps: Step[] = [];
  for (const [, block] of section!.matchAll(/^```console\n([^]*?)^```$/gm)) {
    for (const line of block!.trimEnd().split("\n")) {
      if (line.startsWith("$ ")) steps.push({ command: line.slice(2), shown: [] });
      else if (line !== "…") steps.at(-1)!.shown.push(line);
    }
  }
  return steps;
}

// What differs each time: kids, times, the home folder, and where the secret lives.
function withoutDetails(text: string): string {
  return text.replace(/kid [\w-]{16}/g, "kid KID").replace(/\S+\/api\.json/g, "api.json")
    .replace(/in the (keyring|database)/g, "in STORE");
}

/** Runs the steps in one shell. @returns what each has printed. */
async function played(box: Box, steps: readonly Step[]): Promise<string[]> {
  // A reader types the next command when the server is there.
  const wait = (url: string) =>
    `for n in $(seq 300); do curl -so /dev/null ${url} && break; sleep 0.1; done`;
  const script = steps.flatMap(({ command }, at) => {
    const url = /http:\/\/[\d.:]+\//.exec(
      steps.slice(at).find((one) => one.command.includes("http://"))?.command ?? "",
    );
    const waits = command.endsWith("&") && url !== null ? [wait(url[0])] : [];
    return ["echo @@@", command, ...waits];
  });
  const shell = ["trap 'kill $(jobs -p)' EXIT", ...script, ""].join("\n");
  const env = { PATH: `${dirname(REKEY)}:/usr/bin:/bin` };
  const { stdout, stderr } = await box.exec("/bin/bash", ["-c", `exec 2>&1\n${shell}`], { env });
  const printed = stdout.split("@@@\n").slice(1);
  assert.equal(printed.length, steps.length, stdout + stderr);
  return printed;
}

using probe = new Workshop();
const pyjwt = PEERS.find(({ name }) => name === "PyJWT")!;
const there = await probe.has(pyjwt);

Deno.test({
  name: `README's session prints what README shows${there ? "" : ` (needs ${pyjwt.needs})`}`,
  ignore: !there,
  fn: playSession,
});

async function playSession(): Promise<void> {
  using box = new Workshop();
  const [api, serve] = freePorts(2);
  const [, program] = /^```python\n(# api\.py\n[^]*?)^```$/m.exec(read("docs/deliveries.md"))!;
  Deno.writeTextFileSync(join(box.home, "api.py"), program!.replace("8080", String(api)));
  const readme = read("README.md").replaceAll(":8080", `:${api}`)
    .replaceAll(":8700", `:${serve}`)
    .replace("rekey serve &", `rekey serve --listen 127.0.0.1:${serve} &`);
  const steps = sessionOf(readme);
  assert.ok(steps.length > 10, `${steps.length} steps`);
  const printed = await played(box, steps);
  for (const [at, { command, shown }] of steps.entries()) {
    const lines = withoutDetails(printed[at]!).split("\n");
    for (const line of shown.map(withoutDetails)) {
      assert.ok(lines.includes(line), `$ ${command}\nshows: ${line}\nprints: ${printed[at]}`);
    }
  }
  assert.match(printed.at(-1)!, /^HTTP\/1\.1 204/m);
  assert.match(printed.join(""), /hello alice\n[^]*who are you\?\n/);
}

Deno.test({
  name: `the program of docs/deliveries.md follows from a secret to a key pair and back`,
  ignore: !there,
  fn: followKinds,
});

async function followKinds(): Promise<void> {
  using box = new Workshop();
  const [port] = freePorts(1);
  const [, program] = /^```python\n(# api\.py\n[^]*?)^```$/m.exec(read("docs/deliveries.md"))!;
  const [file, keys] = [join(box.home, "api.py"), join(box.home, "api.json")];
  Deno.writeTextFileSync(file, program!.replace("8080", String(port)));
  const url = `http://127.0.0.1:${port}/`;
  const ask = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(url, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  const rekey = async (...args: string[]) => {
    const { code, stdout, stderr } = await box.run(args);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const api = start("/usr/bin/python3", [file, keys], { stderr: "null" });
  try {
    await until(() => ask().then((status) => status === 401, () => false));
    await rekey("init");
    await rekey(
      ...["deliver", "add", "api", "--format", "jwks"],
      "--path",
      keys,
      "--probe-url",
      url,
    );
    for (const alg of ["ES256", "RS256", "HS512"]) {
      const old = await rekey("issue", "--quiet", "--sub", "alice");
      await rekey("rotate", "--force", "--grace", "1h", "--alg", alg);
      const fresh = await rekey("issue", "--quiet", "--sub", "alice");
      assert.deepEqual([await ask(old), await ask(fresh)], [200, 200], alg);
      await rekey("revoke");
      assert.deepEqual([await ask(old), await ask(fresh)], [401, 200], alg);
    }
  } finally {
    api.kill("SIGKILL");
    await api.status;
  }
}
