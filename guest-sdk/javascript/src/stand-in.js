// A fake host for tests: answers with given fields, and records what it is told. Must not be in a component.

const told = { id: "test", name: "test.task", retries: 0, maxRetries: 0, deadline: 0n };
let fields = told;

const context = new Proxy({}, { get: (_, name) => () => field(name) });

function field(name) {
  const left = Math.max(0, fields.maxRetries - fields.retries);
  const derived = { remainingRetries: left, isLastRetry: left === 0 };
  return name in fields ? fields[name] : derived[name];
}

export const host = {
  context,
  lines: [],
  steps: [],
  write: (level, message) => host.lines.push([level, message]),
  report: (percent, message) => host.steps.push([percent, message]),
};

/** Starts over with these fields of the context. */
export function reset(context = {}) {
  fields = { ...told, ...context };
  host.lines = [];
  host.steps = [];
}
