import { rfc3339 } from "../../core/clock.ts";
import type { Environment } from "../../store/environment.ts";
import type { Installation } from "../../store/installation.ts";
import { Deliveries } from "../../store/sqlite/deliveries.ts";
import { Sessions } from "../../users/sessions.ts";
import { Users } from "../../users/users.ts";
import { lookAt } from "../context.ts";

/** A candidate for the last word. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** Candidates from the installation. */
export interface CompletionSource {
  users(prefix: string): Candidate[];
  sessions(prefix: string): Candidate[];
  versions(): Candidate[];
  deliveries(): Candidate[];
}

const MOST = 100;

/** Names and numbers of an installation, read without changes and without prompts. */
export function knownOf(environment: Environment): CompletionSource {
  const look = (read: (installation: Installation) => Candidate[]) =>
    lookAt(environment, read) ?? [];
  return {
    users: (prefix) => look(({ database }) => usersOf(new Users(database), prefix)),
    sessions: (prefix) => look((installation) => sessionsOf(installation, prefix)),
    versions: () => look((installation) => versionsOf(installation)),
    deliveries: () => look(({ database }) => deliveriesOf(new Deliveries(database))),
  };
}

// In name order, names with a prefix follow the prefix itself.
function usersOf(users: Users, prefix: string): Candidate[] {
  const exact = users.find(prefix);
  const found = [...exact === undefined ? [] : [exact], ...users.list(MOST, prefix)];
  return found.map(({ name }) => ({ word: name, description: "user" }));
}

function sessionsOf(installation: Installation, prefix: string): Candidate[] {
  const open = new Sessions(installation.database).list(MOST, installation.now());
  return open.filter(({ jti }) => jti.startsWith(prefix))
    .map(({ jti, sub, issued_at }) => ({
      word: jti,
      description: `${sub}, ${rfc3339(issued_at)}`,
    }));
}

function versionsOf({ versions }: Installation): Candidate[] {
  return versions.every().slice(0, MOST).map(({ version, created_at, state }) => ({
    word: String(version),
    description: `${state}, ${rfc3339(created_at)}`,
  }));
}

function deliveriesOf(deliveries: Deliveries): Candidate[] {
  return deliveries.all().map(({ name, settings: { preset } }) => ({
    word: name,
    description: preset,
  }));
}
