import { escapesUtf8 } from "../core/utf8.ts";
import type { VerifyPolicy } from "../auth/verifier.ts";
import { HttpRefusal } from "./problem.ts";

/** What the query of `/auth` asks of a token, beyond being valid. */
export interface TokenRequirements {
  readonly policy: VerifyPolicy;
  /** All of them are required. */
  readonly scopes: readonly string[];
}

const NAMES = ["scope", "aud", "iss"];
const LONGEST = 1_024;

// RFC 6749 §3.3: visible ASCII but for the quote and the backslash.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * What the query of a request asks of its token: `scope` (several in one or in many, all required), `aud` and `iss`.
 * Each of them can only refuse more tokens, so it does not matter who wrote it.
 *
 * An unknown parameter is refused, since whoever wrote it believes that it is looked at. Caddy asks with its client's
 * query where its configuration gives none, and names the client's target: what that is known to have is ignored.
 *
 * @returns `undefined` where nothing is asked for.
 * @throws {HttpRefusal} 400.
 */
export function wantedBy(request: Request): TokenRequirements | undefined {
  const at = request.url.indexOf("?");
  if (at < 0) return undefined;
  const query = request.url.slice(at + 1).replace(/#.*$/s, "");
  const given = new URLSearchParams(query);
  const strange = [...given.keys()].some((name) => !NAMES.includes(name));
  if (strange && query !== clientsQuery(request)) {
    throw refusal("a parameter of /auth is none that it knows", "It takes scope, aud and iss");
  }
  const scopes = scopesOf(given.getAll("scope"));
  const [audience, issuer] = [onlyOf(given, "aud"), onlyOf(given, "iss")];
  if (scopes.length === 0 && audience === undefined && issuer === undefined) return undefined;
  // Another character in its place could be what a token has.
  if (!escapesUtf8(query)) throw refusal("its query is not UTF-8", "Escape it as RFC 3986 has it");
  return { policy: { also: { audience, issuer } }, scopes };
}

function clientsQuery({ headers }: Request): string | undefined {
  return headers.get("x-forwarded-uri")?.replace(/^[^?]*\??/, "");
}

function scopesOf(values: readonly string[]): string[] {
  const scopes = values.flatMap((value) => value.split(" ").filter((scope) => scope !== ""));
  const isEmpty = values.some((value) => value.trim() === "");
  // They go into a header of the answer.
  const fit = scopes.every((scope) => SCOPE.test(scope)) && scopes.join(" ").length <= LONGEST;
  if (isEmpty || !fit) throw refusal("its scope is not one", "Write it as RFC 6749 §3.3 has it");
  return [...new Set(scopes)];
}

function onlyOf(given: URLSearchParams, name: string): string | undefined {
  const values = given.getAll(name);
  if (values.length > 1) throw refusal(`${name} stands there twice`, "Name one");
  if (values[0] === "") throw refusal(`${name} is empty`, "Name one, or leave it out");
  return values[0];
}

function refusal(why: string, hint: string): HttpRefusal {
  return new HttpRefusal("bad_request", `Cannot answer: ${why}`, {}, hint);
}
