// The types of ./testing.js.

export interface Ran<T> {
  value: T | undefined;
  failure: { name: string; message: string; traceback?: string; retry: { tag: string; val?: bigint } } | undefined;
  log: [string, string][];
  progress: [number, string | undefined][];
}

export declare function run<A extends unknown[], T>(
  task: (...args: A) => T | Promise<T>,
  args: A,
  context?: Record<string, unknown>,
): Promise<Ran<T>>;
