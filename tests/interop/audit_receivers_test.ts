import assert from "node:assert/strict";
import { join } from "node:path";
import { Journald } from "../support/audit/journald.ts";
import { logLines } from "../support/audit/log_lines.ts";
import { Rsyslogd } from "../support/audit/rsyslogd.ts";
import { unless } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";

// Would forge a field of the journal, a line of a file, a message and structured data.
const HOSTILE = 'a\nREKEY_ACTOR=root\n<80>1 - - forged - - [rekey@32473 seq="9"] x"] \\';

Deno.test({
  name: "a real journald and rsyslogd have the columns of a row as fields, whatever a reason holds",
  ignore: unless(Deno.build.os === "linux" && Deno.uid() === 0, "root on Linux"),
  async fn() {
    using box = await initialised();
    await using journald = await Journald.start(join(box.home, "journal"));
    await using datagrams = await Rsyslogd.start(join(box.home, "datagrams"), "imuxsock");
    const sinks = [journald, datagrams].flatMap(({ sink }) => ["--audit-to", sink]);
    const { code, stderr } = await box.run(["rotate", "--force", "--reason", HOSTILE, ...sinks]);
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /warning/);
    const rows = logLines(box).slice(-2).map((line) => JSON.parse(line));

    let entries: Record<string, unknown>[] = [];
    await until(async () => (entries = await journald.entries()).length === rows.length);
    const ours = (
      { SYSLOG_IDENTIFIER, PRIORITY, SYSLOG_FACILITY, ...fields }: typeof entries[0],
    ) => ({
      ...{ SYSLOG_IDENTIFIER, PRIORITY, SYSLOG_FACILITY },
      ...{ app: fields.REKEY_APP, seq: Number(fields.REKEY_SEQ), time: fields.REKEY_TIME },
      ...{
        event: fields.REKEY_EVENT,
        version: Number(fields.REKEY_VERSION),
        kid: fields.REKEY_KID,
      },
      ...{ location: fields.REKEY_LOCATION, actor: fields.REKEY_ACTOR, hash: fields.REKEY_HASH },
    });
    assert.deepEqual(
      entries.map(ours),
      rows.map(({ seq, time, event, version, kid, location, actor, hash }) => ({
        ...{
          SYSLOG_IDENTIFIER: "rekey",
          PRIORITY: "5",
          SYSLOG_FACILITY: "10",
          app: "agiworkforce",
        },
        ...{ seq, time, event, version, kid, location, actor, hash },
      })),
    );
    for (const entry of entries) {
      assert.match(String(entry.MESSAGE), /^JWT secret rotation .*\\u\{a\}/);
    }
    const reasons = (await journald.received()).map(({ reason }) => reason);
    assert.deepEqual(reasons, [HOSTILE, HOSTILE]);

    await until(() => datagrams.lines().length === rows.length);
    const received = await datagrams.received();
    assert.deepEqual(
      received.map(({ seq, hash, reason }) => ({ seq, hash, reason })),
      rows.map(({ seq, hash }) => ({ seq, hash, reason: HOSTILE.replaceAll("\n", "\\u{a}") })),
    );
    assert.match(
      datagrams.lines()[1]!,
      /^rotationCompleted rekey \[rekey@32473 app="agiworkforce" /,
    );
  },
});
