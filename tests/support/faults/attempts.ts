import { Accounts } from "../../../src/users/accounts.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { AuthManager } from "../../../src/auth/manager.ts";
import { auditVerify } from "../../../src/cli/commands/audit.ts";
import { issue } from "../../../src/cli/commands/issue.ts";
import { verify } from "../../../src/cli/commands/tokens.ts";
import { revoke } from "../../../src/cli/commands/secret.ts";
import { rotate } from "../../../src/cli/commands/rotate.ts";
import { status } from "../../../src/cli/commands/status.ts";
import type { Context } from "../../../src/cli/context.ts";
import { Output } from "../../../src/cli/output.ts";
import { ERROR_TABLE, type ErrorCode, isRekeyError } from "../../../src/core/errors.ts";
import { SecretManager } from "../../../src/secret/manager.ts";
import { putDatabase, type Specimen } from "./specimen.ts";

/** How one command ended: `ok`, or the code of its refusal. */
export interface Finding {
  readonly code: "ok" | ErrorCode;
  /** What `issue` made. */
  readonly token?: string;
}

/** How each command ended, by its name. */
export type Findings = Record<string, Finding>;

/** Tries the commands on a database in place of the specimen's own. Only a refusal may end one. */
export type Attempt = (specimen: Specimen, database: Uint8Array) => Promise<Findings>;

type Command = (context: Context) => Promise<void>;

/** The commands' own functions, one after the other on one pair of managers. */
export const inProcess: Attempt = async (specimen, database) => {
  const { box, workshop, environment } = specimen;
  putDatabase(join(workshop, "agiworkforce.db"), database);
  const config = join(box.home, ".config/rekey");
  const folders = { ...environment.folders, data: workshop, config };
  const secrets = new SecretManager({ ...environment, folders });
  const found: Findings = {};
  try {
    for (const [name, run] of Object.entries(commands(specimen))) {
      found[name] = await tried(secrets, run);
    }
    await secrets.flushNotes();
  } finally {
    secrets.close();
  }
  return found;
};

function commands({ tokens, head }: Specimen): Record<string, Command> {
  const verifying = (token: string): Command => (context) => verify({ token, leeway: 0 }, context);
  return {
    // First, since others add rows; with a head, since a log that has lost its tail holds without one.
    "audit verify": (context) => auditVerify({ expectHead: head }, context),
    "status": (context) => status({ maxAge: 86_400 }, context),
    "verify current": verifying(tokens.current),
    "verify grace": verifying(tokens.grace),
    "verify retired": verifying(tokens.retired),
    "verify revoked": verifying(tokens.revoked),
    "issue": (context) => issue({ sub: "erin", ttl: 60 }, context),
    "revoke": (context) => revoke({}, context),
    "verify grace after revoke": verifying(tokens.grace),
    "rotate": (context) => rotate({ force: true, grace: 0, lockTimeout: 0 }, context),
    "verify current after rotate": verifying(tokens.current),
  };
}

async function tried(secrets: SecretManager, run: Command): Promise<Finding> {
  let token = "";
  const streams = { stdout: (text: string) => void (token = text.trim()), stderr: () => {} };
  const output = new Output({ json: false, quiet: true, color: false }, streams);
  const auth = new AuthManager(secrets);
  try {
    const accounts = new Accounts(secrets);
    const globals = { color: false };
    const context = { secrets, auth, accounts, output, globals, version: "test" };
    await run({ ...context, confirm: () => false, store: undefined });
    return { code: "ok", token };
  } catch (error) {
    if (!isRekeyError(error) || error.code === "internal") throw error;
    return { code: error.code };
  }
}

/** The compiled binary, a copy of the database for each command. */
export const byBinary: Attempt = async (specimen, database) => {
  const { tokens, head: { seq, hash } } = specimen;
  const lines = {
    "audit verify": ["audit", "verify", "--expect-head", `${seq}:${hash}`],
    "status": ["status"],
    "verify current": ["verify", tokens.current],
    "verify retired": ["verify", tokens.retired],
    "verify revoked": ["verify", tokens.revoked],
    "issue": ["issue", "--sub", "erin"],
    "rotate": ["rotate", "--force"],
  };
  const found: Findings = {};
  for (const [name, line] of Object.entries(lines)) {
    putDatabase(specimen.box.database, database);
    found[name] = await ran(specimen, line);
  }
  // On what the rotation left.
  found["verify current after rotate"] = await ran(specimen, lines["verify current"]);
  return found;
};

async function ran({ box }: Specimen, line: string[]): Promise<Finding> {
  const { code: exit, stdout, stderr } = await box.run([...line, "--json"]);
  // Whatever is no JSON, a runtime's own message above all, fails here.
  const remarks = stderr.split("\n").filter(Boolean).map((text) => JSON.parse(text));
  if (exit === 0) return { code: "ok", token: JSON.parse(stdout).token };
  const code: ErrorCode = remarks.at(-1)?.error?.code ?? JSON.parse(stdout).code;
  assert.notEqual(code, "internal", stderr);
  assert.equal(exit, ERROR_TABLE[code]?.exit, stderr);
  return { code };
}
