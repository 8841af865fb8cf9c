/**
 * Who has started this process, besides the user that it runs as. Each part is a name as the system has it, of any
 * length and with any characters.
 */
export interface Caller {
  /** The user who logged in. The kernel keeps it: neither `su` nor `sudo` changes it. */
  readonly login?: string | undefined;
  /** The user whom `sudo` names. A variable says so, so it is only taken where none but root could set it. */
  readonly sudo?: string | undefined;
  /** The same of `doas`. */
  readonly doas?: string | undefined;
  /** The unit of the service manager for the system that the process runs in. */
  readonly unit?: string | undefined;
  /** The same of a user's service manager: that user has named it. */
  readonly userUnit?: string | undefined;
  /**
   * Whether the process has user ids of its own (user_namespaces(7)), as in a rootless container. Anyone may become root or
   * another user there, so all other parts are what whoever made the namespace says.
   */
  readonly inUserNamespace?: boolean | undefined;
}

/** An environment variable; an empty one counts as not set. */
export type ReadVariable = (name: string) => string | undefined;
