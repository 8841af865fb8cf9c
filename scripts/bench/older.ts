import { Box } from "../../tests/support/process/box.ts";
import { KeyringBox } from "../../tests/support/keyring/keyring_box.ts";
import type { KnownSecret } from "./known_secret.ts";
import type { Goal } from "./result.ts";

const COMMANDS = ["verify, database", "status, database", "verify, keyring", "status, keyring"];
const MOST_RATIO = 1.08;

/** What a command of this binary may take, as a ratio to what it took of the older one. */
export function goalBeside(command: string): Goal[] {
  return COMMANDS.includes(command)
    ? [{ to: `older ${command}`, sense: "≤", ratio: MOST_RATIO }]
    : [];
}

/** An older binary, with boxes of its own, since its database may be of an older form. */
export class Older implements AsyncDisposable {
  private constructor(
    private readonly program: string,
    private readonly boxes: { readonly database: Box; readonly keyring: KeyringBox },
    private readonly token: string,
  ) {}

  /** The one whose path `REKEY_OLDER` says; `undefined` when it says none. */
  static async start(secret: KnownSecret): Promise<Older | undefined> {
    const program = Deno.env.get("REKEY_OLDER");
    if (program === undefined) return undefined;
    const boxes = { database: new Box(), keyring: await KeyringBox.start() };
    const older = new Older(program, boxes, secret.token("alice"));
    for (const box of Object.values(boxes)) {
      const { code, stderr } = await box.exec(program, ["import"], { stdin: secret.text });
      if (code !== 0) throw new Error(stderr);
    }
    return older;
  }

  /** Its commands by name. */
  programs(): Record<string, () => ReturnType<Box["exec"]>> {
    return Object.fromEntries(COMMANDS.map((name) => {
      const [command, place] = name.split(", ") as [string, "database" | "keyring"];
      const args = command === "verify" ? [command, this.token] : [command];
      return [`older ${name}`, () => this.boxes[place].exec(this.program, args)];
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.boxes.database[Symbol.dispose]();
    await this.boxes.keyring[Symbol.asyncDispose]();
  }
}
