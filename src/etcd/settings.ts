/** How etcd is reached. */
export interface EtcdSettings {
  /** Origins of its members' client ports: `https://10.0.0.1:2379`. */
  readonly endpoints: readonly string[];
  /** Under which all keys are, with a slash at its end. */
  readonly prefix: string;
  /** PEM texts: the authority of its certificates, and ours with its key. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** A user of etcd's own; the password is read again whenever it is needed, and `etcd_denied` thrown if it cannot be. */
  readonly user?: { readonly name: string; password(): string } | undefined;
}
