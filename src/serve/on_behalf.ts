import { AsyncLocalStorage } from "node:async_hooks";
import { onBehalfOf } from "../audit/actor.ts";

// A graceful rotation may wait for programs while an incident of someone else overtakes it: a variable would name one for
// both.
const owners = new AsyncLocalStorage<{ readonly subject: string | undefined }>();

/** Does the work of a request. What it logs names the subject of the request's token. */
export function onBehalf<T>(subject: string | undefined, work: () => T): T {
  return owners.run({ subject }, work);
}

/** The server's actor, with the subject of the token that it works for now. */
export function actorNow(server: string): string {
  const owner = owners.getStore();
  return owner === undefined ? server : onBehalfOf(server, owner.subject);
}
