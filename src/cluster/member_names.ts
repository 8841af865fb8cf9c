import type { Member, MemberDeliveries } from "../secret/backend.ts";

// Servers of the fleet in messages.

const MOST_NAMED = 10;

// Anyone who can write to etcd chooses the text.
const plain = (text: string) => text.replace(/[^\w@.-]/g, "?").slice(0, 100);

/** A server's name for messages, in safe characters. */
export function nameOf({ actor, id }: Pick<Member, "actor" | "id">): string {
  return `${plain(actor)} (${plain(id)})`;
}

/** The first names, each with the deliveries that have not followed, and how many more there are. */
export function namesOf(members: readonly Member[]): string {
  return listed(
    members.map((member) => {
      const behind = deliveriesBehind(member);
      return behind === undefined ? nameOf(member) : `${nameOf(member)} with ${behind}`;
    }),
    members.length,
  );
}

/** The deliveries of a server's machine that have not followed, for messages; `undefined` if there are none. */
export function deliveriesBehind(
  { deliveries }: { readonly deliveries?: MemberDeliveries | null | undefined },
): string | undefined {
  if (!deliveries?.behind) return undefined;
  const { behind, names } = deliveries;
  if (names.length === 0) return "unreadable deliveries";
  return `${behind === 1 ? "delivery" : "deliveries"} ${listed(names.map(plain), behind)}`;
}

function listed(names: readonly string[], count: number): string {
  const shown = names.slice(0, MOST_NAMED);
  const more = count - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
