// What tests/guests/conformance/world.wit says, in TypeScript, and what this language makes of WASI.

import {
  context, env, log, progress, TaskError,
  type Char, type F32, type Flags, type Result, type S16, type S32, type S64, type S8, type TaskErrorValue,
  type Throws, type U16, type U32, type U64, type U8,
} from "@chicory/sdk";

interface Point { x: S32; yAxis: S32; label?: string }
type Color = "red" | "dark-green" | "blue";
type Rights = Flags<{ read: boolean; write: boolean; runIt: boolean }>;
type Shape = { tag: "nothing" } | { tag: "circle"; val: number } | { tag: "polygon"; val: Point[] };
interface Nested { points: Point[]; byName: [string, Point][]; color: Color; shape?: Shape }
type Fault = "not-found" | "connection-error";
type Refusal = { tag: "card-declined" } | { tag: "overdrawn"; val: S64 } | { tag: "connection-error"; val: string };
interface ContextFields {
  id: string; name: string; retries: U32; maxRetries: U32; remainingRetries: U32; isLastRetry: boolean;
  deadline: U64; lastError?: string; tenant?: string;
}

export const echoBool = (value: boolean) => value;
export const echoU8 = (value: U8): U8 => value;
export const echoU16 = (value: U16): U16 => value;
export const echoU32 = (value: U32): U32 => value;
export const echoU64 = (value: U64): U64 => value;
export const echoS8 = (value: S8): S8 => value;
export const echoS16 = (value: S16): S16 => value;
export const echoS32 = (value: S32): S32 => value;
export const echoS64 = (value: S64): S64 => value;
export const echoF32 = (value: F32): F32 => value;
export const echoF64 = (value: number) => value;
export const echoChar = (value: Char): Char => value;
export const echoString = (value: string) => value;
export const echoBytes = (value: Uint8Array) => value;
export const echoList = (value: U32[]) => value;
export const echoLists = (value: string[][]) => value;
export const echoTuple = (value: [U8, string, boolean]) => value;
export const echoOption = (value?: U32) => value;
export const echoResults = (value: Result<U32, string>[]) => value;
export const echoRecord = (value: Point) => value;
export const echoEnum = (value: Color): Color => value;
export const echoFlags = (value: Rights): Rights => value;
export const echoVariant = (value: Shape): Shape => value;
export const echoNested = (value: Nested) => value;
export function echoSeveral(first: U32, secondOne: string | undefined, third: Color): [U32, string | undefined, Color] {
  return [first, secondOne, third];
}
export function nothing(): void {}

export function failString(message: string): Throws<U32, string> {
  throw message;
}
export function failEnum(error: Fault): Throws<U32, Fault> {
  throw error;
}
export function failVariant(error: Refusal): Throws<U32, Refusal> {
  throw error;
}
export function failRetry(message: string): Throws<U32, TaskErrorValue> {
  throw { tag: "retry", val: message };
}
export function failRetryAfter(message: string, delayMs: U64): U32 {
  throw TaskError.retryAfter(message, Number(delayMs) / 1000);
}
export function failFatal(message: string): Throws<U32, TaskErrorValue> {
  throw { tag: "fatal", val: message };
}
export function failUncaught(message: string): U32 {
  throw new RangeError(message);
}

export function showContext(afterRetries: U32): Throws<ContextFields, string> {
  if (context.retries() < afterRetries) throw `only ${context.retries()} retries`;
  return {
    id: context.id(), name: context.name(), retries: context.retries(), maxRetries: context.maxRetries(),
    remainingRetries: context.remainingRetries(), isLastRetry: context.isLastRetry(), deadline: context.deadline(),
    lastError: context.lastError(), tenant: context.tenant(),
  };
}
export function logLevels(message: string): void {
  for (const write of [log.trace, log.debug, log.info, log.warn, log.error]) write(message);
}
export async function reportProgress(steps: U32): Promise<U32> {
  for (let step = 1; step <= steps; step += 1) progress.report((100 * step) / steps, `step ${step}`);
  return steps;
}

export const fetchText = async (url: string) => (await fetch(url, { method: "PUT", body: "body" })).text();
export const fetchAll = (urls: string[]) => Promise.all(urls.map(async (url) => (await fetch(url)).text()));
export const variable = (name: string) => env(name);
