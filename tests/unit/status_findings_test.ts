import assert from "node:assert/strict";
import { type FindingCode, FINDINGS } from "../../src/doctor/findings.ts";
import { statusFindings } from "../../src/serve/status_findings.ts";

const WELL = {
  trouble: undefined,
  version: 3,
  rotationDue: false,
  deliveriesBehind: [],
  holders: [],
  serversBehind: [],
  sinksFailing: [],
  certificateEnds: undefined,
  now: Date.UTC(2026, 0, 1),
};

const found = (code: string, what: string) =>
  [{ code: code as FindingCode, what, why: "", command: null }] as const;

const codes = (state: Partial<Parameters<typeof statusFindings>[0]>) =>
  statusFindings({ ...WELL, ...state }, []).map(({ code, level }) => `${level} ${code}`);

// Whose own sentence holds neither a path nor what another program said.
const QUOTED = [
  ...["clock_behind", "standby_forgotten", "sessions_ended", "fallback_used"],
  ...["etcd_single", "etcd_split"],
];

Deno.test("the status page quotes no finding that may name a path or another program's words", () => {
  const said = Object.keys(FINDINGS).filter((code) =>
    statusFindings(WELL, found(code, "/home/op/secret.db")).some(({ text }) =>
      text.includes("/home/op")
    )
  );
  assert.deepEqual(said.toSorted(), QUOTED.toSorted());
});

Deno.test("what the state tells counts at once, the wrong before the notes, and each once", () => {
  assert.deepEqual(codes({}), []);
  const day = 86_400_000;
  assert.deepEqual(
    codes({
      trouble: "keyring_locked",
      rotationDue: true,
      deliveriesBehind: ["api"],
      serversBehind: ["root@b"],
      sinksFailing: ["journal"],
      holders: [{ program: "a", state: "grace" }, { program: "b", state: "ended" }],
      certificateEnds: WELL.now + 13 * day,
    }),
    [
      ...["keyring_locked", "rotation_due", "delivery_behind", "fleet_lagging", "audit_unsent"],
      "exec_ended",
    ].map((code) => `wrong ${code}`).concat("note exec_grace", "note certificate_expires"),
  );
  assert.deepEqual(codes({ certificateEnds: WELL.now - 1 }), ["wrong certificate_expired"]);
  assert.deepEqual(codes({ certificateEnds: WELL.now + 15 * day }), []);
  const older = [...found("rotation_due", "old"), ...found("delivery_behind", "old")];
  assert.deepEqual(statusFindings(WELL, older), [], "the state is newer than a finding");
  const twice = [...found("file_mode", "/a"), ...found("file_mode", "/b")];
  assert.equal(statusFindings(WELL, twice).length, 1);
});
