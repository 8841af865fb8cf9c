/** Writes rows into the log of a box, as fast as it is told, as a process of rekey's: `HOME ROWS PER_SECOND`. */
import { join } from "node:path";
import { EVENTS } from "../../../src/audit/events.ts";
import { appNamed } from "../../../src/core/app.ts";
import { Installation } from "../../../src/store/installation.ts";
import { KeyringStore } from "../../../src/store/keyring/keyring_store.ts";
import { pause } from "../timing/pause.ts";

const [home = "", rows = "", perSecond = ""] = Deno.args;
const app = appNamed("agiworkforce");
const noKeyring = () => {
  throw new Error("there is no keyring here");
};
const installation = Installation.openExisting({
  app,
  folders: {
    data: join(home, ".local/share/agiworkforce"),
    defaultData: undefined,
    dataNamed: false,
    config: join(home, ".config/rekey"),
    cache: join(home, ".cache/rekey"),
  },
  kek: { run: () => Promise.resolve(new Uint8Array()) },
  keyring: new KeyringStore(app, noKeyring, 200, {}),
  mirror: "off",
  actor: "feeder@test",
  clock: Date.now,
  waitMs: 60_000,
})!;
const audit = await installation.audit();
const began = performance.now();
for (let row = 1; row <= Number(rows); row++) {
  // A reason that must not end a line anywhere, in every tenth row.
  const reason = row % 10 === 0 ? `row\n${row} "]\\` : `row ${row}`;
  installation.database.transaction(() => audit.append({ event: EVENTS.moved, reason }), {
    durable: false,
  });
  const ahead = row / Number(perSecond) * 1000 - (performance.now() - began);
  if (ahead > 0) await pause(ahead);
}
installation.close();
