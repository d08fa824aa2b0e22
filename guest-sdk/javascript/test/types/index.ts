// A task of each type, for the tests of what WIT they become.

import { task, type Char, type F32, type Flags, type Result, type TaskErrorValue, type Throws, type U32 } from "@chicory/sdk";

type Shape = { tag: "nothing" } | { tag: "circle"; val: number };
type Color = "red" | "dark-green";
type Rights = Flags<{ read: boolean; runIt: boolean }>;
interface Point { x: U32; yAxis: F32; label?: string }

export const plain = (a: boolean, b: string, c: number, d: bigint, e: Uint8Array, f: Char): void => {};
export const nested = (points: Point[], color?: Color): [Shape, Rights] | undefined => undefined;
export const results = (all: Result<U32, string>[]): Throws<U32, Color> => 1;
export const told = (): Throws<string, TaskErrorValue> => "";
/** Says what it does. */
export const settled = task({ maxRetries: 3, timeout: 2, retryOn: ["Busy"] }, async (if_: string): Promise<Shape> => ({ tag: "nothing" }));
export const noTask = 7;
