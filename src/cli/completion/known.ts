import { rfc3339 } from "../../core/clock.ts";
import { isRekeyError } from "../../core/errors.ts";
import { Sessions } from "../../auth/sessions.ts";
import { Users } from "../../auth/users.ts";
import { type Environment, Installation } from "../../store/installation.ts";
import type { Candidate, CompletionSource } from "./candidates.ts";

const MOST = 100;

/** Names and numbers of an installation. It is looked at as it is, and nobody is asked. */
export function knownOf(environment: Environment): CompletionSource {
  const look = (read: (installation: Installation) => Candidate[]) => {
    try {
      const installation = Installation.openAsFound(environment);
      if (installation === undefined) return [];
      // Not `using`: a damaged database fails once more when it is closed, and two errors at once are no refusal.
      try {
        return read(installation);
      } finally {
        installation.close();
      }
    } catch (error) {
      // A database that cannot be read has no names to offer; the command itself will say why.
      if (isRekeyError(error)) return [];
      throw error;
    }
  };
  return {
    users: (prefix) => look(({ database }) => usersOf(new Users(database), prefix)),
    sessions: (prefix) => look((installation) => sessionsOf(installation, prefix)),
    versions: () => look((installation) => versionsOf(installation)),
  };
}

// In the order of names, those with a prefix come right after the prefix itself.
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
