// What was thrown, as the queue sees it. Must not know components.

import { TaskError } from "./index.js";

/** `chicory:task/types.failure` of anything that was thrown. */
export function failure(thrown) {
  const isError = thrown instanceof Error;
  return {
    name: (isError && (thrown.constructor?.name || thrown.name)) || "Error",
    message: isError ? thrown.message : String(thrown),
    traceback: (isError && thrown.stack) || undefined,
    retry: advice(thrown),
  };
}

function advice(thrown) {
  if (!(thrown instanceof TaskError)) return { tag: "policy" };
  if (thrown.final) return { tag: "never" };
  if (thrown.delay === undefined) return { tag: "policy" };
  return { tag: "after", val: BigInt(Math.max(0, Math.round(thrown.delay * 1000))) };
}
