import { Box } from "../../tests/support/process/box.ts";
import { KeyringBox } from "../../tests/support/keyring/keyring_box.ts";
import type { Part } from "./result.ts";

/** How long one process takes to get the secret's value, as rekey measures it itself. */
export async function retrieval(rounds: number): Promise<Part> {
  using database = new Box();
  await using keyring = await KeyringBox.start();
  const lines = ["| location | median | p95 | goal for p95 |", "| --- | ---: | ---: | --- |"];
  for (const [name, box, goal] of [["database", database, 5], ["keyring", keyring, 20]] as const) {
    await box.run(["init"]);
    const token = await box.token();
    for (let i = 0; i < rounds; i++) await box.run(["verify", token]);
    const { retrieval } = await box.json("stats");
    const { p50_ms, p95_ms } = retrieval[name];
    const met = p95_ms <= goal ? "met" : "**missed**";
    lines.push(
      `| ${name} | ${p50_ms.toFixed(2)} ms | ${p95_ms.toFixed(2)} ms | ≤ ${goal} ms: ${met} |`,
    );
  }
  return { title: "Retrieval of the value, inside the process", rows: [], text: lines.join("\n") };
}
