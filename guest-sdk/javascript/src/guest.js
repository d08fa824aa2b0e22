// Inside the component: an author's function as the host calls it.

import { host } from "#host";
import { failure } from "./failure.js";

/** Whatever the function throws ends the task, as a `failure`. */
export function guard(call) {
  return (...args) => {
    try {
      const value = call(...args);
      return typeof value?.then === "function" ? value.then(undefined, fail) : value;
    } catch (thrown) {
      return fail(thrown);
    }
  };
}

/** What the function throws is an error of the task's own type. */
export function own(call) {
  return (...args) => {
    try {
      const value = call(...args);
      return typeof value?.then === "function" ? value.then(undefined, raise) : value;
    } catch (thrown) {
      return raise(thrown);
    }
  };
}

function fail(thrown) {
  const payload = failure(thrown);
  host.write("error", `${payload.name}: ${payload.message}\n${payload.traceback ?? ""}`.trimEnd());
  throw Object.assign(new Error(payload.message), { payload });
}

function raise(thrown) {
  if (thrown instanceof Error) throw thrown;
  throw Object.assign(new Error("the task's error"), { payload: thrown });
}
