import { until } from "../timing/pause.ts";

/**
 * How a program answered a token: "refused" is its word on the token; "unavailable" that it had none, since it was not
 * there, closed the connection or could not look.
 */
export type Verdict = "accepted" | "refused" | "unavailable";

/** A program that verifies tokens by itself, configured as its page in docs/presets says. */
export interface Consumer extends AsyncDisposable {
  /** What `rekey deliver add NAME` is told of it. */
  readonly delivery: readonly string[];
  /** What `rekey issue` is told, so that it accepts the token. */
  readonly claims: readonly string[];
  /** A folder of tools that rekey must find before others. */
  readonly tools?: string;
  /** Whether it starts without keys. */
  readonly startsEmpty?: true;
  /** Starts it, with the keys that are there. */
  start(): Promise<void>;
  /** Ends it and starts it again, with what is in its files. */
  restart(): Promise<void>;
  /** How it answers a token of {@linkcode claims} on a connection of its own. */
  answer(token: string): Promise<Verdict>;
}

/** Whether a consumer accepts a token, once it has a word on it. */
export async function accepts(consumer: Consumer, token: string): Promise<boolean> {
  const verdicts: Verdict[] = [];
  await until(async () => {
    verdicts.push(await consumer.answer(token));
    return verdicts.at(-1) !== "unavailable";
  });
  return verdicts.at(-1) === "accepted";
}
