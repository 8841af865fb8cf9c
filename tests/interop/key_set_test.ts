import { Box } from "../support/process/box.ts";
import { Serving } from "../support/http/serving.ts";
import { amongOthers, followsStandby, mustHaveFollowed } from "../support/consumers/standby.ts";
import { sample } from "../support/process/sample.ts";
import { Workshop } from "./peers.ts";
import { RunningVerifier, SET_VERIFIERS } from "./set_verifiers.ts";

const ISSUER = "https://auth.example";
const SECONDS = 2;

for (const verifier of sample(SET_VERIFIERS, 2)) {
  Deno.test(`${verifier.name} fetches the public keys and follows a key that stood by`, async () => {
    using workshop = new Workshop();
    using box = new Box();
    await amongOthers(box, "--iss", ISSUER);
    await box.run(["policy", "set", "--jwks-max-age", `${SECONDS}s`]);
    await using serving = await Serving.start(box);
    const url = `${serving.url}/.well-known/jwks.json`;
    await using running = await RunningVerifier.start(workshop, verifier, url, SECONDS);
    using stranger = new Box();
    await stranger.run(["init", "--alg", "ES256", "--iss", ISSUER]);
    const unknown = await stranger.token();
    const answers = new Turns((token) => running.answer(token));
    const followed = await followsStandby(box, serving, {
      seconds: SECONDS,
      answer: (token) => answers.ask(token),
      ...verifier.refreshes === "in time" ? {} : { remind: () => answers.ask(unknown) },
    });
    mustHaveFollowed(followed);
  });
}

/** Takes one question at a time to a script that answers line by line. */
class Turns {
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly answer: (token: string) => Promise<string>) {}

  ask(token: string): Promise<string> {
    const turn = this.#last.then(() => this.answer(token));
    this.#last = turn.catch(() => {});
    return turn;
  }
}
