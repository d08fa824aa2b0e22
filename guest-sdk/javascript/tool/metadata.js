// What the host is told about tasks: a custom section with JSON objects, one a line.

const RETRY = { maxRetries: "max_retries", retryDelay: "retry_delay", backoff: "backoff", maxDelay: "max_delay",
  jitter: "jitter", retryOn: "retry_on", ignoreOn: "ignore_on" };
const LIMITS = { timeout: "timeout", cpuTime: "cpu_time", memory: "memory", fuel: "fuel" };
const OTHER = { deliveryMode: "delivery_mode", ignoreResult: "ignore_result", description: "description" };

/** The section for tasks of the form {name, settings}; nothing where they have none. */
export function section(tasks) {
  const lines = tasks.map(({ name, settings }) => [name, told(settings)])
    .filter(([, settings]) => Object.keys(settings).length > 0)
    .map(([name, settings]) => `${JSON.stringify({ tasks: { [name]: settings } })}\n`);
  if (lines.length === 0) return Buffer.alloc(0);
  const name = Buffer.from("chicory-manifest");
  const body = Buffer.concat([leb128(name.length), name, Buffer.from(lines.join(""))]);
  return Buffer.concat([Buffer.of(0), leb128(body.length), body]);
}

function told(settings) {
  const unknown = Object.keys(settings).find((key) => !(key in RETRY || key in LIMITS || key in OTHER));
  if (unknown) {
    const allowed = Object.keys({ ...RETRY, ...LIMITS, ...OTHER }).join(", ");
    throw new Error(`task() has no setting ${unknown}; there are ${allowed}`);
  }
  const retry = pick(settings, RETRY);
  const limits = pick(settings, LIMITS);
  return {
    ...pick(settings, OTHER),
    ...(Object.keys(retry).length > 0 && { retry }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
}

function pick(settings, names) {
  const found = Object.entries(names).filter(([ours]) => settings[ours] !== undefined && settings[ours] !== "");
  return Object.fromEntries(found.map(([ours, theirs]) => [theirs, settings[ours]]));
}

function leb128(number) {
  const bytes = [];
  for (; number > 127; number >>>= 7) bytes.push((number & 127) | 128);
  return Buffer.of(...bytes, number);
}
