import { ALGORITHMS, PAIR_ALGORITHMS } from "../core/algorithms.ts";
import type { Preset } from "./preset.ts";

// Modules of their own, which only commands about deliveries load.
const PRESETS: Record<string, () => Promise<{ default: unknown }>> = {
  apache: () => import("./presets/apache.json", { with: { type: "json" } }),
  dovecot: () => import("./presets/dovecot.json", { with: { type: "json" } }),
  ejabberd: () => import("./presets/ejabberd.json", { with: { type: "json" } }),
  haproxy: () => import("./presets/haproxy.json", { with: { type: "json" } }),
  "haproxy-pem": () => import("./presets/haproxy_pem.json", { with: { type: "json" } }),
  influxdb: () => import("./presets/influxdb.json", { with: { type: "json" } }),
  nginx: () => import("./presets/nginx.ts"),
  "nginx-lua": () => import("./presets/nginx_lua.ts"),
  rabbitmq: () => import("./presets/rabbitmq.json", { with: { type: "json" } }),
  slurm: () => import("./presets/slurm.json", { with: { type: "json" } }),
  "slurm-jwks": () => import("./presets/slurm_jwks.json", { with: { type: "json" } }),
};

const ANY = {
  program: "any",
  role: "verifier",
  algorithms: [...ALGORITHMS],
  reload_kind: "at once",
  connections: "as the program has it",
  mode: "0600",
  docs: "deliveries.md",
} satisfies Partial<Preset>;

const ENCODING = {
  encoding: {
    about: "text, base64, base64url or hex for HMAC secrets, pem for key pairs, jwk for both",
    default: "text",
  },
};

/** The formats, each as a preset without a program. */
export const FORMAT_PRESETS: readonly Preset[] = [
  {
    ...ANY,
    name: "text",
    summary: "the current key alone, without a line end",
    keys: 1,
    format: "text",
    parameters: {
      encoding: {
        about:
          "text, base64, base64url, hex or bytes for HMAC secrets, pem for key pairs, jwk for both",
        default: "text",
      },
    },
  },
  {
    ...ANY,
    name: "env",
    summary: "NAME=VALUE lines: the current key, the previous one and the next one",
    keys: "many",
    format: "env",
    parameters: { ...ENCODING, variable: { about: "its name", default: "JWT_SECRET" } },
  },
  {
    ...ANY,
    name: "json",
    summary: "all keys by kid, in every encoding",
    keys: "many",
    format: "json",
  },
  {
    ...ANY,
    name: "jwks",
    summary: "a JWK Set (RFC 7517), the newest key first",
    keys: "many",
    format: "jwks",
  },
  {
    ...ANY,
    name: "pem",
    summary: "key pairs as PEM (RFC 7468), the newest first",
    algorithms: [...PAIR_ALGORITHMS],
    keys: "many",
    format: "pem",
  },
];

/** Names of the presets for programs. */
export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/** A built-in preset or format; `undefined` if there is none of that name. */
export async function builtIn(name: string): Promise<Preset | undefined> {
  const module = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  // Checked by a test, and not each time.
  if (module !== undefined) return (await module()).default as Preset;
  return FORMAT_PRESETS.find((preset) => preset.name === name);
}
