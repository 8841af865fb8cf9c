import type { Serving } from "./serving.ts";

export const PASSWORD = "correct horse battery staple";

/** Sends a name and a password. */
export async function logIn(serving: Serving, name = "alice", password = PASSWORD) {
  const response = await serving.post("/login", { name, password });
  return { status: response.status, answer: await response.json(), headers: response.headers };
}
