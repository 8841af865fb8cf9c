import { REKEY } from "../../tests/support/process/box.ts";
import { findToolchain } from "../denort.ts";
import type { Part } from "./result.ts";

const ROOM_MB = 6;

/** The binary beside the runtime that it consists of. */
export async function size(): Promise<Part> {
  const { denort } = await findToolchain();
  const megabytes = (path: string) => Deno.statSync(path).size / 1e6;
  const rows = [{ name: "rekey", value: megabytes(REKEY), unit: "MB" }];
  if (denort === undefined) return { title: "Size", rows };
  const runtime = { name: "denort", value: megabytes(denort), unit: "MB" };
  const goals = [{ to: "denort", sense: "≤" as const, ratio: 1 + ROOM_MB / runtime.value }];
  return {
    title: `Size (goal: denort and ${ROOM_MB} MB)`,
    rows: [runtime, { ...rows[0]!, goals }],
  };
}
