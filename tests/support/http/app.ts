import { RekeyError } from "../../../src/core/errors.ts";
import { makeApp, type Served } from "../../../src/http/app.ts";
import { makeRoutes } from "../../../src/http/routes.ts";
import type { Services } from "../../../src/http/route.ts";
import type { PublicSet } from "../../../src/secret/public_set.ts";
import { bearing } from "./bearing.ts";

/** The issuer of {@linkcode app}. */
export const ISSUER = "https://auth.example/";
/** The set of public keys that it answers. */
export const SET: PublicSet = {
  name: "set",
  keys: [{ kty: "OKP", kid: "k", use: "sig", alg: "Ed25519", crv: "Ed25519", x: "x" }],
  text: '{"keys":[]}',
  endsAt: null,
};

/** What its good token says. */
export const VERIFIED = { version: 1, kid: "k", claims: { sub: "älice %\n", exp: 1 } };

/** rekey's HTTP interface, without a socket; the compiled binary is asked in tests/e2e. */
export function app(changes: Partial<Services> = {}) {
  const served: Served[] = [];
  const verify = changes.verify ??
    ((token: string) =>
      token === "good"
        ? Promise.resolve(VERIFIED)
        : Promise.reject(new RekeyError("bad_signature", 'Cannot: "quoted"\u00e4')));
  const services: Services = {
    verify,
    verifyBearer: bearing(verify),
    ready: () => Promise.resolve(),
    isScraper: () => false,
    publicKeys: () => ({ set: SET, maxAge: 600 }),
    secretHost: {} as Services["secretHost"],
    names: { hosts: ["rekey.example"], anyHost: false, listens: ["127.0.0.1"], machine: () => [] },
    remote: false,
    trustForwarded: false,
    ...changes,
  };
  const answer = makeApp(makeRoutes("test", ISSUER), services, (one) => served.push(one));
  const send = (request: Request) =>
    answer(request, { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1 } });
  return {
    served,
    send,
    ask: (path: string, headers: Record<string, string> = {}, method = "GET", body?: string) =>
      send(
        new Request(`http://127.0.0.1:8700${path}`, {
          method,
          headers,
          ...body === undefined ? {} : { body },
        }),
      ),
  };
}

/** The header of a request with a good token. */
export const good = { authorization: "Bearer good" };
