/** The environment variables that say where the KEK comes from. */
export const KEK_VARIABLES = [
  "REKEY_KEK_FILE",
  "REKEY_KEK_COMMAND",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_PASSPHRASE_COMMAND",
] as const;

/** Those that say where etcd is, and by what it is opened. */
export const ETCD_VARIABLES = [
  "REKEY_ETCD_ENDPOINTS",
  "REKEY_ETCD_PREFIX",
  "REKEY_ETCD_CA",
  "REKEY_ETCD_CERT",
  "REKEY_ETCD_KEY",
  "REKEY_ETCD_USER",
  "REKEY_ETCD_PASSWORD_FILE",
] as const;
