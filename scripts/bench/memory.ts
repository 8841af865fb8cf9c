import { Box } from "../../tests/support/process/box.ts";
import { Serving } from "../../tests/support/http/serving.ts";
import { KnownSecret } from "./known_secret.ts";
import { load } from "./load.ts";
import type { Part } from "./result.ts";

const TOKENS = 1_000_000;

/** What `serve` holds in memory at first and after so many requests, each with another token than the 10,000 before. */
export async function memory(requests: number): Promise<Part> {
  using box = new Box();
  const secret = new KnownSecret();
  await secret.importInto(box);
  const [few, many] = [`${box.home}/few`, `${box.home}/many`];
  secret.writeTokens(few, 10_000);
  secret.writeTokens(many, TOKENS);
  await using serving = await Serving.start(box, ["--no-access-log"]);
  const resident = () => {
    const status = Deno.readTextFileSync(`/proc/${serving.process.pid}/status`);
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
  };
  await load(serving.url, { tokens: few, seconds: 1 });
  const first = resident();
  let done = 0;
  while (done < requests) done += await load(serving.url, { tokens: many, seconds: 20 }) * 20;
  const name = `after ${Math.round(done / 1e5) / 10} million requests`;
  const goals = [{ to: "after the first 10,000", sense: "≤" as const, ratio: 1.3 }];
  return {
    title: "Memory of rekey serve (resident)",
    rows: [
      { name: "after the first 10,000", value: first, unit: "MiB" },
      { name, value: resident(), unit: "MiB", goals },
    ],
  };
}
