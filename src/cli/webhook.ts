import { Buffer } from "node:buffer";
import { createHmac, randomUUID } from "node:crypto";
import { RekeyError } from "../core/errors.ts";
import { readFileIfThere } from "../files/private_files.ts";
import type { Facts } from "./hook.ts";

const [LONGEST_MS, TRIES, BETWEEN_MS] = [5_000, 3, 1_000];

const PROXIES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

// What the specification of Standard Webhooks asks for.
const KEY_BYTES = { least: 24, most: 64 };

/**
 * Tells another program of a rotation: a `POST` with a JSON body, signed as Standard Webhooks 1.0 describes
 * (`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64 HMAC-SHA-256>`).
 */
export class Webhook {
  private constructor(private readonly url: URL, private readonly key: Uint8Array) {}

  /**
   * @param url `https:`, or `http:` to this machine; no redirect is followed.
   * @param keyFile file of the signing key: base64 of 24 to 64 bytes, with or without `whsec_` before it.
   * @throws {RekeyError} `usage` when either cannot be used.
   */
  static to(url: string, keyFile: string | undefined): Webhook {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !isSafe(parsed)) {
      throw new RekeyError("usage", "Cannot use the address of --notify-url", {
        hint: "Use https:, or http: to this machine, without user name and password",
      });
    }
    return new Webhook(parsed, keyIn(keyFile));
  }

  /** @throws {RekeyError} `failed` when nobody has taken it with a status of 2xx, three times. */
  async post(type: string, data: Facts): Promise<void> {
    const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data });
    const headers = this.#headers(body);
    let why = "";
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 0) await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
      const outcome = await this.#try(body, headers);
      if (outcome === undefined) return;
      why = outcome;
    }
    throw new RekeyError("failed", `Nobody has taken the notice ${type}: ${why}`, {
      hint: "Is the receiver of --notify-url up, and does it answer with 2xx?",
    });
  }

  /** @returns why it was not taken. */
  async #try(body: string, headers: Record<string, string>): Promise<string | undefined> {
    try {
      // It would read what is not encrypted, and could answer in the receiver's place.
      if (this.url.protocol === "http:") PROXIES.forEach((name) => Deno.env.delete(name));
      const signal = AbortSignal.timeout(LONGEST_MS);
      const options = { method: "POST", body, headers, redirect: "manual", signal } as const;
      const response = await fetch(this.url, options);
      await response.body?.cancel();
      return response.ok ? undefined : `status ${response.status}`;
    } catch (error) {
      if (error instanceof TypeError) return "it cannot be reached";
      if (error instanceof DOMException) return "it does not answer";
      throw error;
    }
  }

  #headers(body: string): Record<string, string> {
    const [id, timestamp] = [`msg_${randomUUID()}`, String(Math.floor(Date.now() / 1000))];
    const signature = createHmac("sha256", this.key).update(`${id}.${timestamp}.${body}`);
    return {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature.digest("base64")}`,
    };
  }
}

// Whoever listens on the way would learn when sessions end, and could answer in the receiver's place.
function isSafe({ protocol, hostname, username, password }: URL): boolean {
  const near = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  return username + password === "" && (protocol === "https:" || (protocol === "http:" && near));
}

function keyIn(path: string | undefined): Uint8Array {
  const bytes = path === undefined ? undefined : readFileIfThere(path);
  const text = Buffer.from(bytes ?? []).toString().trim().replace(/^whsec_/, "");
  bytes?.fill(0);
  const key = Buffer.from(text, "base64");
  const right = key.length >= KEY_BYTES.least && key.length <= KEY_BYTES.most;
  if (right && key.toString("base64") === text) return key;
  throw new RekeyError("usage", "Cannot sign what --notify-url is told: there is no key", {
    hint:
      "Make one with `head -c 32 /dev/urandom | base64 > FILE` and name it by --notify-key-file",
  });
}
