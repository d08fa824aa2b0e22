// Runs a task natively with a fake host, for the author's own tests.

import { failure } from "./failure.js";
import { host, reset } from "./stand-in.js";

/** Calls a task; `context` has fields of its context. What it throws is the failure that the queue sees. */
export async function run(task, args = [], context = {}) {
  reset(context);
  const ran = { value: undefined, failure: undefined };
  try {
    ran.value = await task(...args);
  } catch (thrown) {
    ran.failure = failure(thrown);
  }
  return { ...ran, log: host.lines, progress: host.steps };
}
