import assert from "node:assert/strict";
import { join } from "node:path";
import { overBus } from "../../../src/store/keyring/secret_service/dbus_connection.ts";
import { findProvider } from "../../../src/store/keyring/secret_service/find_provider.ts";
import { ownBus } from "../../../src/store/keyring/secret_service/session_bus.ts";
import { ageFlags } from "../store/backing_up.ts";
import { ACCOUNT } from "./keyring_box.ts";
import type { WalletBox } from "./wallets/wallet_box.ts";

/** How a wallet's program comes to its end. */
export const ENDINGS = ["SIGKILL", "SIGTERM", "with its bus"] as const;
export type Ending = typeof ENDINGS[number];

/** What a command that writes to the keyring leaves. */
interface Left {
  readonly kid: string;
  /** A token of before that must still be valid, and one that must not. */
  readonly valid?: string;
  readonly ended?: string;
  /** Accounts that are to hold values. */
  readonly accounts: readonly string[];
  /** Where the secret lives; by default the keyring. */
  readonly location?: string;
}

/** The exit status for a token that is refused. */
const REFUSED = 3;

type Command = (box: WalletBox) => Promise<Left>;

async function run(box: WalletBox, ...args: string[]): Promise<void> {
  const { code, stderr } = await box.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
}

const COMMANDS: Record<string, Command> = {
  init: async (box) => {
    const { kid, location } = await box.json("init");
    assert.equal(location, "keyring");
    return { kid, accounts: [ACCOUNT] };
  },
  rotate: async (box) => {
    const ended = await box.token();
    const { kid } = await box.json("rotate", "--force");
    return { kid, ended, accounts: [ACCOUNT] };
  },
  "rotate --grace": async (box) => {
    const valid = await box.token();
    const { kid, previous_version } = await box.json("rotate", "--force", "--grace", "1h");
    return { kid, valid, accounts: [ACCOUNT, `${ACCOUNT}.v${previous_version}`] };
  },
  revoke: async (box) => {
    const { kid } = await box.json("status");
    await run(box, "revoke");
    return { kid, accounts: [ACCOUNT] };
  },
  "store move keyring": async (box) => {
    await run(box, "store", "move", "database");
    const valid = await box.token();
    const { kid } = await box.json("status");
    await run(box, "store", "move", "keyring");
    return { kid, valid, accounts: [ACCOUNT] };
  },
  restore: async (box) => {
    const backup = join(box.home, `${crypto.randomUUID()}.backup`);
    const { seal, open } = await ageFlags(box);
    await run(box, "backup", backup, "--with-secret", ...seal);
    const valid = await box.token();
    await run(box, "rotate", "--force");
    await run(box, "restore", backup, "--force", ...open);
    const { kid, location } = await box.json("status");
    // A backup that has a sealed copy in its database brings the secret back there, as one with --mirror on does.
    return { kid, valid, location, accounts: location === "keyring" ? [ACCOUNT] : [] };
  },
  import: async (box) => {
    await run(box, "destroy", "--force");
    const file = join(box.home, "imported");
    await Deno.writeTextFile(file, `${crypto.randomUUID()}${crypto.randomUUID()}`);
    const { kid } = await box.json("import", "--file", file, "--alg", "HS256");
    return { kid, accounts: [ACCOUNT] };
  },
  destroy: async (box) => {
    const { kid } = await box.json("status");
    await run(box, "destroy", "--force");
    return { kid, accounts: [], location: "nowhere" };
  },
};

/** How often a wallet's program was ended, and after what nothing was as it must be. */
export interface DurabilityReport {
  readonly endings: number;
  readonly lost: readonly string[];
}

/** Ends a wallet's program right after each command that writes to the keyring, in turn by each of the endings. */
export async function endAfterEach(
  box: WalletBox,
  first: number,
  stopAt = Infinity,
): Promise<DurabilityReport> {
  const lost: string[] = [];
  let endings = 0;
  for (const [name, command] of Object.entries(COMMANDS)) {
    if (endings >= stopAt) break;
    const ending = ENDINGS[(first + endings++) % ENDINGS.length]!;
    const left = await command(box);
    await end(box, ending);
    try {
      await check(box, left);
    } catch (error) {
      lost.push(`${box.name}, ${name}, ${ending}: ${error}`);
    }
  }
  return { endings, lost };
}

/** How long a program may take to end when it is asked to, in milliseconds; a logout waits as long. */
const PATIENCE_MS = 3_000;

async function end(box: WalletBox, ending: Ending): Promise<void> {
  if (ending === "with its bus") {
    await box.endWithBus();
  } else {
    const pid = await programOf(box);
    // KeePassXC may ask its user first.
    const timer = setTimeout(() => Deno.kill(pid, "SIGKILL"), PATIENCE_MS);
    await box.kill(ending);
    clearTimeout(timer);
  }
  await box.restart();
}

async function programOf(box: WalletBox): Promise<number> {
  const address = box.env["DBUS_SESSION_BUS_ADDRESS"];
  const socket = ownBus({ address, runtimeFolder: undefined })!;
  return (await overBus(socket, 10_000, findProvider))!.pid;
}

/** The version that the command spoke of is there, alone, and tokens count as before. */
async function check(box: WalletBox, left: Left): Promise<void> {
  const { kid, valid, ended, accounts, location = "keyring" } = left;
  if (location === "nowhere") return await checkDestroyed(box, kid);
  const status = await box.json("status");
  assert.equal(status.kid, kid, "another version");
  const verified = async (token: string) => (await box.run(["verify", token])).code;
  assert.equal(await verified(await box.token()), 0, "a new token");
  if (valid !== undefined) assert.equal(await verified(valid), 0, "a token of before");
  if (ended !== undefined) assert.equal(await verified(ended), REFUSED, "a token that has ended");
  assert.deepEqual(await box.accounts(), accounts, "what the keyring holds");
  assert.equal((await box.json("status")).read_from, location);
}

/**
 * The secret is gone. KeePassXC tells no one when it has saved, and a database that is gone cannot remember: it may have
 * gone back to what was there before, but to nothing else.
 */
async function checkDestroyed(box: WalletBox, kid: string): Promise<void> {
  const found = await box.accounts();
  const { code, stdout, stderr } = await box.run(["status", "--json"]);
  if (box.name === "keepassxc" && code === 0) {
    assert.equal(JSON.parse(stdout).kid, kid, "another secret");
    return;
  }
  if (box.name !== "keepassxc") assert.deepEqual(found, [], "what the keyring holds");
  assert.equal(code, 4, stderr);
}

/** Rotates so often; answers what has failed or warned. */
export async function rotateOften(box: WalletBox, times: number): Promise<string[]> {
  const disturbed: string[] = [];
  for (let i = 1; i <= times; i++) {
    const { code, stderr } = await box.run(["rotate", "--force"]);
    if (code !== 0 || /warning/.test(stderr)) disturbed.push(`rotation ${i} (${code}): ${stderr}`);
  }
  return disturbed;
}
