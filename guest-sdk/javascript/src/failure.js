// An exception as the queue sees it. Must not know components.

import { TaskError } from "./index.js";

/** `chicory:task/types.failure` of anything that was thrown. */
export function failure(thrown) {
  const isError = thrown instanceof Error;
  return {
    name: (isError && (thrown.constructor?.name || thrown.name)) || "Error",
    message: isError ? thrown.message : String(thrown),
    traceback: (isError && thrown.stack && inSource(thrown.stack)) || undefined,
    retry: advice(thrown),
  };
}

function advice(thrown) {
  if (!(thrown instanceof TaskError)) return { tag: "policy" };
  if (thrown.final) return { tag: "never" };
  if (thrown.delay === undefined) return { tag: "policy" };
  return { tag: "after", val: BigInt(Math.max(0, Math.round(thrown.delay * 1000))) };
}

/** A stack trace with the author's files and lines instead of the bundle's, without the SDK's own frames. */
export function inSource(stack, table = globalThis.chicoryLines) {
  if (!table) return stack.trimEnd();
  const named = stack.trimEnd().split("\n").map((frame) => {
    const found = /^(.*@|.*\()?chicory\.js:(\d+):\d+(\))?$/.exec(frame.trim());
    const row = found && table.rows[found[2] - 1];
    if (!row) return /initializer\.js/.test(frame) ? undefined : frame;
    const file = table.files[row[0]];
    return file === null ? undefined : `${found[1] ?? ""}${file}:${row[1]}${found[3] ?? ""}`;
  });
  return named.filter((frame) => frame !== undefined).join("\n");
}
