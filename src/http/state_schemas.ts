import * as z from "zod";
import { PERIODS } from "../audit/history.ts";
import { ALGORITHMS } from "../core/algorithms.ts";
import { parseInstant } from "../core/clock.ts";
import { KEY_FORMS } from "../core/secret.ts";
import { FIELDS } from "./schema_fields.ts";

// What the status page shows.

const { text, instant, version, kid, count } = FIELDS;
const share = () => z.number().min(0).max(1).nullable();

const auditRows = () =>
  z.array(z.strictObject({
    seq: z.int(),
    time: z.string(),
    event: z.string(),
    version: z.int().nullable(),
    kid: z.string().nullable(),
    location: z.string().nullable(),
    actor: z.string(),
    reason: z.string().nullable(),
    duration: z.int().nullable().meta({ description: "microseconds" }),
  })).meta({ description: "newest first" });

const wholeNumber = (description: string) =>
  z.string().regex(/^[1-9]\d{0,14}$/).optional().meta({ description });

export const AuditQuery = z.strictObject({
  event: text().min(1).optional().meta({ description: "a part of the event, in any case" }),
  version: wholeNumber("of the secret"),
  actor: text().min(1).optional(),
  since: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/)
    .refine((text) => !Number.isNaN(parseInstant(text))).optional()
    .meta({ description: "first instant, RFC 3339, UTC" }),
  before: wholeNumber("only rows with a smaller number, for paging"),
}).meta({ id: "AuditQuery" });

export const AuditPage = z.strictObject({
  rows: auditRows(),
  before: count().nullable().meta({
    description: "`before` for older rows, null when there are none; 20,000 rows are looked at",
  }),
}).meta({ id: "AuditPage" });

export const HistoryQuery = z.strictObject({
  period: z.enum(PERIODS).optional().meta({ description: "default hour" }),
}).meta({ id: "HistoryQuery" });

const milliseconds = () => z.number().min(0).nullable();

const bucket = () =>
  z.strictObject({
    valid: count().meta({ description: "verifications" }),
    refused: count(),
    retrievals: count(),
    fallbacks: count(),
    rotations: count(),
    p50_ms: milliseconds().meta({ description: "of the retrievals" }),
    p95_ms: milliseconds(),
  });

export const HistoryAnswer = z.strictObject({
  step_seconds: count(),
  ends: z.array(z.int()).meta({ description: "of the intervals, milliseconds since the epoch" }),
  buckets: z.array(bucket().nullable()).meta({ description: "null before anything was recorded" }),
  total: bucket(),
}).meta({ id: "HistoryAnswer", description: "Figures over a period" });

export const Status = z.strictObject({
  app: z.string(),
  version: version(),
  kid: kid(),
  location: z.string(),
  created_at: instant(),
  age_seconds: count(),
  created_in_future: z.boolean().meta({
    description: "the clock was ahead at that time: the age is unknown",
  }),
  rotation_due: z.boolean(),
  due_at: instant(),
  alg: z.enum(ALGORITHMS),
  key_form: z.enum(KEY_FORMS),
  bits: count().nullable().meta({ description: "of an RSA key" }),
  tokens: z.string().meta({ description: "algorithm and key, for people" }),
  prepared: z.strictObject({
    version: version(),
    kid: kid(),
    alg: z.enum(ALGORITHMS),
    published_at: instant().nullable().meta({ description: "since then verifiers can get it" }),
    activatable_at: instant().nullable().meta({
      description: "until then caches of public keys may lack it; null if it need not wait",
    }),
    is_ready: z.boolean().meta({ description: "whether it can be activated" }),
  }).nullable().meta({ description: "the next version, if one is prepared" }),
  grace: z.array(
    z.strictObject({
      version: version(),
      kid: kid(),
      alg: z.enum(ALGORITHMS),
      until: instant(),
    }),
  ),
  stale_processes: z.array(z.strictObject({
    pid: count(),
    program: z.string(),
    kid: kid(),
    version: version().nullable(),
    state: z.enum(["ended", "grace"]),
    since: instant(),
    until: instant().nullable(),
  })).meta({ description: "programs started by exec that hold an older version" }),
  deliveries: z.array(z.strictObject({
    name: z.string(),
    version: version().nullable(),
    followed: z.boolean(),
    lag_seconds: count().nullable(),
  })).meta({ description: "programs that get keys" }),
  audit_sinks: z.array(z.strictObject({
    sink: z.string(),
    lag_rows: count().meta({ description: "rows that it has not had" }),
    lag_seconds: count().meta({ description: "age of the oldest of them" }),
    failed: z.boolean(),
  })).meta({ description: "where the audit log is sent; of files and sockets the names only" }),
  fleet: z.strictObject({
    change: count(),
    members: z.array(z.strictObject({
      name: z.string(),
      version: count(),
      change: count(),
      rekey: z.string(),
      followed: z.boolean(),
      lag_seconds: count().nullable().meta({ description: "since this server has seen it behind" }),
      deliveries_behind: z.string().nullable(),
    })),
  }).nullable().meta({ description: "servers that share the secret, as last seen in etcd" }),
  healthy: z.boolean().meta({ description: "no finding is wrong" }),
  findings: z.array(z.strictObject({
    code: z.string(),
    level: z.enum(["wrong", "note"]),
    text: z.string(),
  })).meta({ description: "the state, and the checks of doctor that are cheap" }),
  examined_at: instant().nullable().meta({
    description:
      "when doctor's checks were made; null while the first ones take longer than a second",
  }),
  sessions_active: count().meta({
    description:
      "issued by rekey, without tokens that programs sign themselves; no more than 100000 are counted",
  }),
  certificate_expires_at: instant().nullable().meta({ description: "of --tls-cert" }),
  success_rate: share(),
  verifications: z.record(z.string(), count()),
  fallback_rate: share(),
  retrievals: z.strictObject({ keyring: count(), database: count() }),
  rotations: z.array(
    z.strictObject({
      time: z.string(),
      version: version().nullable(),
      reason: z.string().nullable(),
      actor: z.string().nullable(),
    }),
  ).meta({ description: "oldest first" }),
  audit: auditRows(),
  rekey: z.string().meta({ description: "version of the program" }),
  time: instant(),
}).meta({ id: "Status" });
