import { printable } from "../format.ts";
import { Buffer } from "node:buffer";
import { createHmac, randomUUID } from "node:crypto";
import { delay } from "../../core/async.ts";
import { RekeyError, usageError } from "../../core/errors.ts";
import { readInput, readInputText } from "../../files/input_files.ts";
import {
  formatFor,
  hasSecretAddress,
  type Notice,
  type NoticeFormatName,
  postOf,
} from "./chat_formats.ts";
import { SYSTEM } from "../../system/system.ts";

// Limits of what is read and shown of an error page.
const [MOST_BYTES, MOST_CHARACTERS] = [4_096, 200];

// Shorter parts of an address are words, not tokens.
const SHORTEST_TOKEN = 6;

/**
 * The beginning of an error response's body, for a message: one line, without control characters, markup and parts of the
 * address, which can be secret; `""` when there is nothing to show.
 */
export async function refusalBody(response: Response, url: URL): Promise<string> {
  const text = await beginning(response, url);
  const plain = text.replace(/<(style|script)\b.*?<\/\1>|<[^>]*>/gis, " ");
  const line = withoutAddress(plain, url).replace(/\s+/g, " ").trim();
  const shown = [...printable(line)];
  return shown.length <= MOST_CHARACTERS
    ? shown.join("")
    : `${shown.slice(0, MOST_CHARACTERS).join("")}…`;
}

async function beginning({ body }: Response, { href }: URL): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const bytes: number[] = [];
  try {
    while (bytes.length < MOST_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes.push(...value.subarray(0, MOST_BYTES - bytes.length));
    }
  } finally {
    // Does not wait for the rest of the body.
    reader.cancel().catch(() => {});
  }
  const text = new TextDecoder().decode(Uint8Array.from(bytes));
  // A part of the address that is cut in half would not be recognised.
  return bytes.length < MOST_BYTES ? text : text.slice(0, -href.length);
}

/** The text with every part of the address that could be a token replaced. */
function withoutAddress(text: string, url: URL): string {
  const parts = [
    url.href,
    url.pathname + url.search,
    url.pathname,
    ...url.pathname.split("/"),
    ...url.search.slice(1).split(/[&=]/),
    url.hash.slice(1),
  ];
  const all = parts.flatMap((part) => [part, decoded(part)])
    .filter((part) => part.length >= SHORTEST_TOKEN);
  return [...new Set(all)].sort((a, b) => b.length - a.length)
    .reduce((rest, part) => rest.replaceAll(part, "[address]"), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const [LONGEST_MS, TRIES, BETWEEN_MS] = [5_000, 3, 1_000];

// Statuses other than 5xx after which a retry may succeed.
const RETRYABLE = [408, 425, 429];

const PROXIES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

// Required by Standard Webhooks.
const KEY_BYTES = { least: 24, most: 64 };

/** Flags that name the receivers of notices. */
export interface Receivers {
  readonly notifyUrl?: readonly string[] | undefined;
  /** Files of addresses, one per line. */
  readonly notifyUrlFile?: readonly string[] | undefined;
  readonly notifyFormat?: NoticeFormatName | undefined;
  /** File of the signing key. */
  readonly notifyKeyFile?: string | undefined;
}

/** A receiver of notices, which are sent with `POST` in its format. */
export class Webhook {
  private constructor(
    private readonly url: URL,
    readonly format: NoticeFormatName,
    private readonly key: Uint8Array | undefined,
  ) {}

  /**
   * All named receivers, without duplicates. The format is the requested one, or follows from the address, or is rekey's
   * own: signed by Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64
   * HMAC-SHA-256>`), with a base64 key of 24 to 64 bytes.
   *
   * @throws {RekeyError} `usage` for an invalid address, file or key, or when no address is named.
   */
  static all({ notifyUrl = [], notifyUrlFile = [], notifyFormat, notifyKeyFile }: Receivers) {
    const urls = new Set([...notifyUrl, ...notifyUrlFile.flatMap(addressesIn)]);
    if (urls.size === 0 && (notifyFormat ?? notifyKeyFile) !== undefined) {
      throw usageError(
        "Cannot send notices: no address is named",
        "Name it with --notify-url or --notify-url-file",
      );
    }
    return [...urls].map((url) => Webhook.#to(url, notifyFormat, notifyKeyFile));
  }

  static #to(text: string, wanted: NoticeFormatName | undefined, keyFile: string | undefined) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !isSafe(url)) {
      throw usageError(
        "Cannot use the address of --notify-url: it is not secure",
        "Use https:, or http: to this machine, without user name and password",
      );
    }
    const format = wanted ?? formatFor(url);
    return new Webhook(url, format, format === "rekey" ? keyIn(keyFile) : undefined);
  }

  /** Whether knowing the address is enough to post to it. */
  get hasSecretAddress(): boolean {
    return hasSecretAddress(this.format);
  }

  /** @throws {RekeyError} `failed` without a 2xx response after three tries. */
  async post(notice: Notice): Promise<void> {
    const { body, headers } = postOf(this.format, notice);
    const all = { ...headers, ...this.#signature(body) };
    let outcome: Outcome = "taken";
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 0) await delay(BETWEEN_MS);
      outcome = await this.#try(body, all);
      if (outcome === "taken") return;
      if (outcome.final) break;
    }
    const { why } = outcome as Exclude<Outcome, "taken">;
    const where = `${this.url.host} (${this.format})`;
    throw new RekeyError("failed", `Cannot deliver the notice ${notice.type} to ${where}: ${why}`, {
      hint: "Check that the receiver of --notify-url is up, and that --notify-format is its format",
    });
  }

  async #try(body: string, headers: Record<string, string>): Promise<Outcome> {
    try {
      // A proxy could read unencrypted notices, and could answer in place of the receiver.
      if (this.url.protocol === "http:") PROXIES.forEach((name) => Deno.env.delete(name));
      const signal = AbortSignal.timeout(LONGEST_MS);
      const options = { method: "POST", body, headers, redirect: "manual", signal } as const;
      const response = await fetch(this.url, options);
      if (response.ok) {
        await response.body?.cancel();
        return "taken";
      }
      const { status } = response;
      const said = await refusalBody(response, this.url);
      const why = `status ${status}${said && `, it says: ${said}`}`;
      return { why, final: status < 500 && !RETRYABLE.includes(status) };
    } catch (error) {
      if (error instanceof TypeError) return { why: unreachable(error), final: false };
      if (error instanceof DOMException) return { why: "it does not answer", final: false };
      throw error;
    }
  }

  #signature(body: string): Record<string, string> {
    if (this.key === undefined) return {};
    const [id, timestamp] = [`msg_${randomUUID()}`, String(Math.floor(Date.now() / 1000))];
    const signature = createHmac("sha256", this.key).update(`${id}.${timestamp}.${body}`);
    return {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature.digest("base64")}`,
    };
  }
}

type Outcome = "taken" | {
  readonly why: string;
  /** Whether a retry is useless. */
  readonly final: boolean;
};

// The runtime's message contains the address, which can be secret.
function unreachable({ message, cause }: TypeError): string {
  const text = `${message} ${cause instanceof Error ? cause.message : ""}`;
  const why = REASONS.find(([pattern]) => pattern.test(text))?.[1];
  return why === undefined ? "it cannot be reached" : `it cannot be reached (${why})`;
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/certificate|UnknownIssuer|NotValidForName/i, "its certificate is not trusted"],
  [/dns|lookup|resolve/i, "its name is not known"],
  [/refused/i, "connection refused"],
];

function addressesIn(path: string): string[] {
  const lines = readInputText(path).split(/\r?\n/).map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length > 0) return lines;
  throw usageError(
    "Cannot use the file of --notify-url-file: it names no address",
    "Write one address per line into a file that only you can read",
  );
}

// Plain HTTP over a network would reveal notices, and an attacker could answer in place of the receiver.
function isSafe({ protocol, hostname, username, password }: URL): boolean {
  const near = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  return username + password === "" && (protocol === "https:" || (protocol === "http:" && near));
}

function keyIn(path: string | undefined): Uint8Array {
  const bytes = path === undefined ? undefined : readInput(path);
  const text = Buffer.from(bytes ?? []).toString().trim().replace(/^whsec_/, "");
  bytes?.fill(0);
  const key = Buffer.from(text, "base64");
  const right = key.length >= KEY_BYTES.least && key.length <= KEY_BYTES.most;
  if (right && key.toString("base64") === text) return key;
  throw usageError(
    "Cannot sign the notices for --notify-url: no valid key is named",
    `Make a key with \`${SYSTEM.advice.makeKey}\` and name its file with ` +
      "--notify-key-file; for a chat, name its format, as in --notify-format slack",
  );
}
