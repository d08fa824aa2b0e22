// What task authors import. Must not know how a component is built.

import { variables } from "#environment";
import { host } from "#host";

/** A failure that decides what happens next. Subclasses keep their own name. */
export class TaskError extends Error {
  constructor(message, { delay, final = false } = {}) {
    super(message);
    this.name = new.target.name;
    this.delay = delay;
    this.final = final;
  }

  static retry(message) {
    return new this(message);
  }

  static retryAfter(message, seconds) {
    return new this(message, { delay: seconds });
  }

  static fatal(message) {
    return new this(message, { final: true });
  }
}

/** Turns a function into a task with settings; the function itself is unchanged. */
export function task(settings, call) {
  return Object.assign(call, { chicory: settings });
}

const field = (name) => () => host.context[name]();

export const context = {
  id: field("id"),
  name: field("name"),
  retries: field("retries"),
  maxRetries: field("maxRetries"),
  remainingRetries: field("remainingRetries"),
  isLastRetry: field("isLastRetry"),
  deadline: field("deadline"),
  lastError: field("lastError"),
  tenant: field("tenant"),
};

/** An environment variable that the manifest grants; undefined without it. */
export const env = (name) => variables().find(([key]) => key === name)?.[1];

const line = (level) => (message) => host.write(level, String(message));

export const log = {
  trace: line("trace"),
  debug: line("debug"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
};

export const progress = {
  report: (percent, message) => host.report(percent, message),
};
