// KWallet before 6.25 derives another key than its clients when the shared number begins with a zero byte, and takes no
// public key that does; the addon's library gives it some. One call of 128 fails by it before it has an effect. One
// of 65,536 writes is opened with the wrong key all the same, and another value is kept.
const WRONG_KEY = /public key size is invalid|can't find session|crypto error|unpad/i;
const KEY_TRIES = 6;

/**
 * Makes a call of the keyring again that has failed by the key that both ends agreed upon.
 *
 * @param attempt makes the call on a connection of its own, with keys of its own.
 */
export async function withAnotherKey<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === KEY_TRIES || !(error instanceof Error && WRONG_KEY.test(error.message))) {
        throw error;
      }
    }
  }
}
