import { isRekeyError } from "../core/errors.ts";
import { type Environment, Installation } from "../store/installation.ts";

/** Whether etcd is named, now or by what an earlier command was told. */
export function usesEtcd(environment: Environment): boolean {
  return environment.etcd !== undefined ||
    lookedAt(environment, ({ remembered }) => remembered.etcdSettings() !== undefined);
}

/** Whether commands of this installation run another one, or use the network, for what an earlier command was told. */
export function reachesOut(environment: Environment): boolean {
  return lookedAt(environment, ({ remembered }) => remembered.reachesOut);
}

// What keeps the database from being opened is found out by who works with it.
function lookedAt(
  environment: Environment,
  look: (installation: Installation) => boolean,
): boolean {
  let installation: Installation | undefined;
  try {
    installation = Installation.openAsFound(environment);
    return installation !== undefined && look(installation);
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  } finally {
    installation?.close();
  }
}
