import { join } from "node:path";
import { Box } from "../../tests/support/process/box.ts";
import { type Contender, inTurn, milliseconds, type Part } from "./result.ts";

const [ONE, MANY] = [1, 50];

/** `rotate --force`, whole processes, with one delivery and with fifty: file work only. */
export async function deliveries(rounds: number): Promise<Part> {
  const boxes = await Promise.all([ONE, MANY].map(boxWith));
  const contenders: Contender[] = [ONE, MANY].map((count, at) => ({
    name: `rotate --force, ${count} ${count === 1 ? "delivery" : "deliveries"}`,
    run: () => rotated(boxes[at]!),
  }));
  const medians = await inTurn(contenders, rounds);
  boxes.forEach((box) => box[Symbol.dispose]());
  const [one, many] = contenders.map(({ name }) => name) as [string, string];
  const row = (name: string) => ({ name, value: medians.get(name)!, unit: "ms" });
  return {
    title: "A rotation with deliveries",
    rows: [row(one), { ...row(many), goals: [{ to: one, sense: "≤", ratio: 1.5 }] }],
  };
}

async function rotated(box: Box): Promise<number> {
  return await milliseconds(() => must(box, "rotate", "--force"));
}

async function boxWith(count: number): Promise<Box> {
  const box = new Box();
  await must(box, "init", "--store", "database");
  for (let n = 0; n < count; n++) {
    const name = `api${n}`;
    const path = join(box.home, "deliveries", `${name}.json`);
    await must(box, "deliver", "add", name, "--format", "jwks", "--path", path);
  }
  return box;
}

async function must(box: Box, ...args: string[]): Promise<void> {
  const { code, stderr } = await box.run(args);
  if (code !== 0) throw new Error(`rekey ${args.join(" ")}: ${stderr}`);
}
