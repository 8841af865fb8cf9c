/** Who acts. Names can be anything: {@linkcode actorText} makes them safe. */
export interface Actor {
  /** The user that the process runs as. */
  readonly account: string;
  readonly host: string;
  /** The user who logged in, as the kernel says. */
  readonly login?: string | undefined;
  /** The user who became root by `sudo`, as it says. */
  readonly sudo?: string | undefined;
  /** The same of `doas`. */
  readonly doas?: string | undefined;
  /** The unit of the system's service manager. */
  readonly unit?: string | undefined;
  /** The unit of the user's own service manager. */
  readonly userUnit?: string | undefined;
  /** Whether all of that is true in a user namespace only. */
  readonly inUserNamespace?: boolean | undefined;
}

/**
 * An actor as audit rows have it: `USER@HOST`, and in brackets what else is known: `root@web-1 (login alice, unit
 * rekey-rotate.service)`.
 */
export function actorText({ account, host, inUserNamespace, ...known }: Actor): string {
  const { login, sudo, doas, unit, userUnit } = known;
  const details = Object.entries({ login, sudo, doas, unit, "user unit": userUnit })
    .flatMap(([kind, name]) => name === undefined ? [] : [`${kind} ${shown(name)}`]);
  const all = inUserNamespace ? [...details, "user namespace"] : details;
  return all.reduce(withDetail, `${escaped(cut(account))}@${escaped(cut(host))}`);
}

/** An actor that works for the owner of a token. @param subject of the token, if it has one. */
export function onBehalfOf(actor: string, subject: string | undefined): string {
  return withDetail(actor, subject === undefined ? "token without sub" : `token ${shown(subject)}`);
}

function withDetail(actor: string, detail: string): string {
  return actor.endsWith(")") ? `${actor.slice(0, -1)}, ${detail})` : `${actor} (${detail})`;
}

/** The part of an actor that an older rekey wrote: `USER@HOST`. */
export function accountOf(actor: string): string {
  const [account] = actor.split(" (", 1);
  return account!;
}

/** Condition of SQL: the column `actor` is a text, or has it as its account or as one of its details. */
export const ACTOR_MATCHES =
  `instr(', ' || actor || ', ' || replace(rtrim(actor, ')'), ' (', ', ') || ', ', ', ' || ? || ', ') > 0`;

const LONGEST_NAME = 64;

// What cannot be taken for the end of a name, or for another detail.
const PLAIN = /^[\w.@+:/=$~%\\-]+$/;

function shown(name: string): string {
  const short = cut(name);
  return PLAIN.test(short) ? short : escaped(JSON.stringify(short));
}

function cut(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name;
}

// Printable ASCII but for what is escaped: V8 takes three million instructions to make the other pattern.
const UNESCAPED = /^[ -'*+\--~]*$/;

// A comma or a bracket would begin or end a detail, in quotes too.
function escaped(text: string): string {
  if (UNESCAPED.test(text)) return text;
  return text.replace(/[,()\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}
