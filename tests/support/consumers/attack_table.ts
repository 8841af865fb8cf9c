import { type Attack, attacksOn } from "../attacks/jwt_attacks.ts";
import { KnownKey } from "./by_hand.ts";
import { ClosedBeforeAnswer, KeptConnection } from "./kept_connection.ts";

/** How a guard answered the tokens of the table of attacks, all made with a key that it holds or with another one. */
export interface Met {
  /** Names of tokens that rekey refuses and the guard lets through, by rekey's reason. */
  readonly accepted: Map<Attack["code"], string[]>;
  /** Names of valid tokens that the guard refuses. */
  readonly refused: string[];
}

/** Asks a guard about every token of the table. @param key the only one that it holds. */
export async function meetAttacks(port: number, key: KnownKey): Promise<Met> {
  const other = new KnownKey();
  const target = { value: key.text, kid: key.kid, oldValue: other.text, oldKid: other.kid };
  const met: Met = { accepted: new Map(), refused: [] };
  for (const { name, code, token, policy } of attacksOn(target)) {
    // What the asker insists on is another thing; line ends and NULs would make it another request.
    if (Object.keys(policy).length > 0 || /[\r\n\0]/.test(token)) continue;
    const isAccepted = await statusOf(port, token) === 200;
    if (code === "valid" && !isAccepted) met.refused.push(name);
    if (code !== "valid" && isAccepted) {
      met.accepted.set(code, [...met.accepted.get(code) ?? [], name]);
    }
  }
  return met;
}

/** The status of a request with a token on a connection of its own; 0 when it is closed instead. */
export async function statusOf(port: number, token: string, path?: string): Promise<number> {
  using connection = await KeptConnection.to(port);
  try {
    return await connection.ask(token, path);
  } catch (error) {
    if (error instanceof ClosedBeforeAnswer) return 0;
    throw error;
  }
}

/** `X-Auth-Subject` as the application behind a guard gets it. */
export async function subjectAt(port: number, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
  return (await answer.json()).headers["x-auth-subject"];
}
