/** Users and groups, and what belongs to them. Errors of the system are thrown as they are, with their codes. */
export interface Owners {
  /** The number of a user; `undefined` if there is no such user. A name of digits is the number itself. */
  userId(name: string): number | undefined;
  /** The number of a group. */
  groupId(name: string): number | undefined;
  /** The user that this process acts as. */
  me(): number;
  /** The group of files that this process makes. */
  myGroup(): number;
  /** Gives an open file to a user and a group, unless they are `undefined`, and sets its mode. */
  give(
    descriptor: number,
    user: number | undefined,
    group: number | undefined,
    mode: number,
  ): void;
}
