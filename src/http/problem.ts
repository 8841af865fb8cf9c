import { ERROR_TABLE, isRekeyError, RekeyError } from "../core/errors.ts";

/** Codes of faulty requests, with their status (RFC 9110 §15.5). */
const HTTP_TABLE = {
  bad_request: 400,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  content_too_large: 413,
  unsupported_media_type: 415,
  misdirected_request: 421,
} as const;

type HttpCode = keyof typeof HTTP_TABLE;

/** Every {@linkcode HttpCode}. */
export const HTTP_CODES = Object.keys(HTTP_TABLE) as HttpCode[];

/** A faulty HTTP request. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";

  constructor(
    readonly code: HttpCode,
    message: string,
    readonly headers: Record<string, string> = {},
    /** What to do next: one sentence without a final period. */
    readonly hint?: string,
  ) {
    super(message);
  }
}

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Status and code of the response to an error. */
export function statusAndCode(error: unknown): { status: number; code: string } {
  if (error instanceof HttpRefusal) return { status: HTTP_TABLE[error.code], code: error.code };
  if (isRekeyError(error)) return { status: ERROR_TABLE[error.code].http, code: error.code };
  return { status: 500, code: "internal" };
}

/**
 * The error as other machines are told of it: why a secret cannot be read names paths of this machine, and what other
 * programs said.
 */
export function withoutPlaces(error: unknown): unknown {
  if (!isRekeyError(error) || ERROR_TABLE[error.code].exit !== 4) return error;
  const { code, retryAfter } = error;
  return new RekeyError(code, "Cannot answer: the secret is unavailable", {
    hint: "`rekey doctor` on the server's machine says why",
    ...retryAfter === undefined ? {} : { retryAfter },
  });
}

/**
 * The response to an error: problem details (RFC 9457). The message of a bug is left out, since it may quote a secret.
 */
export function problemResponse(error: unknown, headers: Record<string, string> = {}): Response {
  const { status, code } = statusAndCode(error);
  const known = error instanceof HttpRefusal || isRekeyError(error);
  const body = {
    type: "about:blank",
    title: TITLES[status] ?? "Error",
    status,
    detail: known ? (error as Error).message : "Internal error, a bug in rekey",
    code,
    hint: (error as Partial<RekeyError | HttpRefusal>).hint ?? null,
  };
  return Response.json(body, {
    status,
    headers: {
      ...(error instanceof HttpRefusal ? error.headers : {}),
      ...headers,
      "content-type": "application/problem+json",
    },
  });
}
