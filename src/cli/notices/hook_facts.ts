/** Facts for a hook, as variables `REKEY_ROTATION_…`: names and times, nothing secret. */
export type HookFacts = Readonly<Record<string, string | number | null>>;
