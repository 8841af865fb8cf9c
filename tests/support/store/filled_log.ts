import { join } from "node:path";
import { EVENTS } from "../../../src/audit/events.ts";
import { Installation } from "../../../src/store/installation.ts";
import type { Box } from "../process/box.ts";
import { testEnvironment } from "./environment.ts";

const AT_ONCE = 10_000;

/** Writes so many rows of retrievals to the log of a box, whose secret is in the database. */
export async function fillLog(box: Box, count: number): Promise<void> {
  using environment = testEnvironment();
  const folders = {
    ...environment.folders,
    data: join(box.home, ".local/share/agiworkforce"),
    config: join(box.home, ".config/rekey"),
  };
  const installation = Installation.open({ ...environment, folders });
  try {
    const audit = await installation.audit();
    const row = { event: EVENTS.retrievedFromDatabase, version: 1, kid: "TecmOjjHdG2Mw_YR" };
    for (let done = 0; done < count; done += AT_ONCE) {
      installation.database.transaction(() => {
        for (let n = done; n < Math.min(count, done + AT_ONCE); n++) {
          audit.append({
            ...row,
            location: "database",
            duration: 1_000 + n % 1_000,
            reason: "verification",
          });
        }
      }, { durable: false });
    }
  } finally {
    installation.close();
  }
}
