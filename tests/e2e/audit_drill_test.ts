import assert from "node:assert/strict";
import { drill } from "../support/audit/drill.ts";
import { unless } from "../support/faults/faults.ts";
import { THOROUGH } from "../support/process/sample.ts";

Deno.test({
  name: "journald, rsyslogd and a file have every row in order, through outages and kills",
  ignore: unless(Deno.build.os === "linux" && Deno.uid() === 0, "root on Linux"),
  async fn() {
    const much = THOROUGH
      ? { rows: 3_000, outages: 10, kills: 20, rowsPerSecond: 200 }
      : { rows: 150, outages: 1, kills: 1, rowsPerSecond: 200 };
    const results = await drill(much);
    assert.deepEqual(results.map(({ receiver }) => receiver), ["journal", "syslog", "file"]);
  },
});
