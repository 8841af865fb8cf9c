import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { Serving } from "../support/http/serving.ts";
import { unless } from "../support/faults/faults.ts";
import { ApacheGuard } from "../support/consumers/apache.ts";
import { statusOf } from "../support/consumers/attack_table.ts";
import { amongOthers, followsStandby, mustHaveFollowed } from "../support/consumers/standby.ts";
import { RabbitMq } from "../support/consumers/rabbitmq.ts";
import { AS_DAEMONS, RUNS_DAEMONS } from "../support/consumers/system_daemon.ts";
import { thoroughly } from "../support/process/sample.ts";
import { Upstream } from "../support/proxy/proxies.ts";

/** A box with a key pair, a server with a certificate, and a token of another box. */
async function published(...claims: string[]) {
  const [box, stranger] = [new Box(), new Box()];
  await amongOthers(box);
  await stranger.run(["init", "--alg", "ES256"]);
  const unknown = await stranger.token("alice", ...claims);
  stranger[Symbol.dispose]();
  const authority = await certify(box, "authority");
  const signed = ["-CA", authority.cert, "-CAkey", authority.key];
  const certificate = await certify(box, "server", ...signed);
  // Apache's workers and RabbitMQ read it.
  await Deno.chmod(box.home, 0o711);
  await Deno.chmod(authority.cert, 0o644);
  const serving = await Serving.start(box, tlsFlags(certificate));
  const url = `${serving.url}/.well-known/jwks.json`;
  return {
    ...{ box, serving, url, unknown, authority: authority.cert },
    async [Symbol.asyncDispose]() {
      await serving[Symbol.asyncDispose]();
      box[Symbol.dispose]();
    },
  };
}

Deno.test("Apache's mod_auth_openidc fetches the public keys and follows a key that stood by", async () => {
  await using all = await published();
  const { box, serving, url, unknown, authority } = all;
  await using app = new Upstream();
  const keys = join(box.home, "keys.conf");
  await Deno.writeTextFile(
    keys,
    `OIDCOAuthVerifyJwksUri ${url}\nOIDCCABundlePath ${authority}\n`,
  );
  await using guard = await ApacheGuard.start(box, { keys, app: app.address });
  const answer = async (token: string) => {
    const status = await statusOf(guard.port, token);
    return status === 200 ? "accepted" : `refused: ${status}`;
  };
  const remind = () => answer(unknown);
  mustHaveFollowed(await followsStandby(box, serving, { seconds: 0, answer, remind }));
});

// A broker takes half a minute to start, twice.
thoroughly("RabbitMQ fetches the public keys and follows a key that stood by", async () => {
  const claims = ["--aud", "rabbitmq", "--scope", "rabbitmq.read:*/*"];
  await using all = await published(...claims);
  const { box, serving, url, unknown, authority } = all;
  await using rabbit = await RabbitMq.prepare([
    // It compares a certificate with names only.
    `auth_oauth2.jwks_url = ${url.replace("127.0.0.1", "localhost")}`,
    "auth_oauth2.https.peer_verification = verify_peer",
    `auth_oauth2.https.cacertfile = ${authority}`,
  ]);
  await rabbit.start();
  const answer = (token: string) => rabbit.answer(token);
  const remind = () => answer(unknown);
  mustHaveFollowed(await followsStandby(box, serving, { seconds: 0, answer, claims, remind }));
}, unless(RUNS_DAEMONS, AS_DAEMONS));
