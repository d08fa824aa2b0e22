// The types that task authors import, including numbers other than f64.

/** A type that WIT calls `W`. The marker exists only for the compiler. */
type Wit<T, W extends string> = T & { readonly __wit?: W };

export type U8 = Wit<number, "u8">;
export type U16 = Wit<number, "u16">;
export type U32 = Wit<number, "u32">;
export type U64 = Wit<bigint, "u64">;
export type S8 = Wit<number, "s8">;
export type S16 = Wit<number, "s16">;
export type S32 = Wit<number, "s32">;
export type S64 = Wit<bigint, "s64">;
export type F32 = Wit<number, "f32">;
export type F64 = Wit<number, "f64">;
export type Char = Wit<string, "char">;

/** WIT's flags: `type Rights = Flags<{ read: boolean; write: boolean }>`. */
export type Flags<T> = T & { readonly __wit?: "flags" };

/** The return type of a task that throws values of type E, and nothing else. Without
 *  it, any exception ends the task with the name of its class. */
export type Throws<T, E> = T & { readonly __throws?: E };

/** WIT's result, inside other types. */
export type Result<T, E> = { tag: "ok"; val: T } | { tag: "err"; val: E };

/** `chicory:task/types.task-error`, for `Throws<T, TaskErrorValue>`. */
export type TaskErrorValue =
  | { tag: "retry"; val: string }
  | { tag: "retry-after"; val: Postponed }
  | { tag: "fatal"; val: string };
export interface Postponed {
  message: string;
  delayMs: U64;
}

export interface Settings {
  maxRetries?: number;
  /** Seconds. */
  retryDelay?: number;
  backoff?: "fixed" | "linear" | "exponential";
  /** Seconds. */
  maxDelay?: number;
  jitter?: boolean;
  /** Names of errors. */
  retryOn?: string[];
  /** Names of errors. */
  ignoreOn?: string[];
  /** Seconds. */
  timeout?: number;
  /** Seconds. */
  cpuTime?: number;
  /** Bytes, or text such as "64MiB". */
  memory?: number | string;
  fuel?: number;
  deliveryMode?: "at_least_once" | "at_most_once";
  ignoreResult?: boolean;
  description?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a function with any parameters, whose types F keeps.
export declare function task<F extends (...args: any[]) => unknown>(settings: Settings, call: F): F;

export declare class TaskError extends Error {
  constructor(message: string, advice?: { delay?: number; final?: boolean });
  /** Seconds until the next attempt; undefined: when the retry policy says. */
  delay?: number;
  /** Whether the task is never retried. */
  final: boolean;
  static retry(message: string): TaskError;
  static retryAfter(message: string, seconds: number): TaskError;
  static fatal(message: string): TaskError;
}

export declare const context: {
  /** The message's id. It is the same at every attempt, so use it as a key for idempotent work. */
  id(): string;
  name(): string;
  /** 0 at the first attempt. */
  retries(): number;
  maxRetries(): number;
  remainingRetries(): number;
  isLastRetry(): boolean;
  /** When the host will stop this attempt, in milliseconds since 1970. */
  deadline(): bigint;
  /** The error of the previous attempt; undefined at the first. */
  lastError(): string | undefined;
  tenant(): string | undefined;
};

/** An environment variable that the manifest grants; undefined without it. */
export declare function env(name: string): string | undefined;

export declare const log: {
  trace(message: unknown): void;
  debug(message: unknown): void;
  info(message: unknown): void;
  warn(message: unknown): void;
  error(message: unknown): void;
};

export declare const progress: {
  /** Reports that `percent` (0 to 100) of the work is done. */
  report(percent: number, message?: string): void;
};
