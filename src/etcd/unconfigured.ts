import { RekeyError } from "../core/errors.ts";

/** No flag or variable names etcd. */
export function unconfigured(): RekeyError {
  return new RekeyError("etcd_unconfigured", "Cannot use etcd: no endpoint is named", {
    hint: "Set REKEY_ETCD_ENDPOINTS, such as https://10.0.0.1:2379,https://10.0.0.2:2379",
  });
}
