// The SDK natively: names, the WIT of types, metadata, stack traces, and tasks with a stand-in for their host.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { context, log, progress, task, TaskError } from "../src/index.js";
import { inSource } from "../src/failure.js";
import { run } from "../src/testing.js";
import { bundle } from "../tool/build.js";
import { lines } from "../tool/lines.js";
import { section } from "../tool/metadata.js";
import { kebab } from "../tool/names.js";
import { read } from "../tool/world.js";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

test("names become WIT's", () => {
  for (const [name, expected] of [["mostCommon", "most-common"], ["HTTPServer", "http-server"], ["u8", "u8"]]) {
    assert.equal(kebab(name), expected);
  }
  assert.throws(() => kebab("größe"), /no form in WIT/);
});

test("types become WIT", () => {
  const { tasks, wit } = read(path("types/index.ts"), path(".."));
  for (const line of [
    "enum color { red, dark-green }",
    "flags rights { read, run-it }",
    "variant shape { nothing, circle(f64) }",
    "record point { x: u32, y-axis: f32, label: option<string> }",
    "plain: func(a: bool, b: string, c: f64, d: s64, e: list<u8>, f: char) -> result<_, failure>",
    "nested: func(points: list<point>, color: option<color>) -> result<option<tuple<shape, rights>>, failure>",
    "results: func(all: list<result<u32, string>>) -> result<u32, color>",
    "told: func() -> result<string, task-error>",
    "settled: func(if: string) -> result<shape, failure>",
  ]) assert.ok(wit.includes(line), `${line}\nis not in\n${wit}`);
  assert.deepEqual(tasks.map(({ name }) => name).sort(), ["nested", "plain", "results", "settled", "told"]);
});

test("what is no task is named with its place", () => {
  assert.throws(() => read(path("types/wrong.ts"), path("..")), /`many` can't be a task: the parameter `all`: .*\n +at .*wrong\.ts:3/);
});

test("settings travel in a section", () => {
  const settings = { maxRetries: 3, timeout: 2, retryOn: ["Busy"], description: "Says" };
  const bytes = section([{ name: "a", settings }, { name: "b", settings: {} }]).toString();
  const [line, rest] = bytes.slice(bytes.indexOf("{")).split("\n");
  assert.deepEqual(JSON.parse(line), {
    tasks: { a: { description: "Says", retry: { max_retries: 3, retry_on: ["Busy"] }, limits: { timeout: 2 } } },
  });
  assert.equal(rest, "");
  assert.throws(() => section([{ name: "a", settings: { retries: 3 } }]), /no setting retries/);
});

test("a bundle that uses the global fetch is known by it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "chicory-"));
  await writeFile(join(dir, "common.cjs"), "module.exports = (call) => call.fetch('/');\n");
  await writeFile(join(dir, "fetching.cjs"), "module.exports = (url) => typeof fetch && fetch(url);\n");
  const fetches = async (glue) => (await bundle({ dir }, glue, ["chicory"])).fetches;
  assert.equal(await fetches('import call from "./common.cjs"; export const a = (fetch) => call({ fetch });'), false);
  assert.equal(await fetches("export const a = async (url) => (await fetch(url)).text();"), true);
  assert.equal(await fetches("export const a = (url) => globalThis.fetch(url);"), true);
  assert.equal(await fetches('export { default as a } from "./fetching.cjs";'), true);
  await rm(dir, { recursive: true });
});

test("a stack trace names the author's files", () => {
  const map = { sources: ["src/a.ts", "sdk/src/guest.js"], mappings: "AAAA;ACAA;;ADUA" };
  const table = lines(map, (name) => !name.startsWith("sdk/"));
  assert.deepEqual(table, { files: ["src/a.ts", null], rows: [[0, 1], [1, 1], null, [0, 11]] });
  const stack = "inner@chicory.js:4:9\nguard/<@chicory.js:2:1\nelsewhere@x.js:1:1\n";
  assert.equal(inSource(stack, table), "inner@src/a.ts:11\nelsewhere@x.js:1:1");
});

test("a task runs natively, and sees what it is told", async () => {
  const work = task({}, async (times) => {
    for (let time = 1; time <= times; time += 1) progress.report((100 * time) / times, "step");
    log.warn(`try ${context.retries()} of ${context.maxRetries()}`);
    return context.isLastRetry();
  });
  const ran = await run(work, [2], { retries: 1, maxRetries: 3 });
  assert.deepEqual(ran, {
    value: false, failure: undefined, log: [["warn", "try 1 of 3"]], progress: [[50, "step"], [100, "step"]],
  });
});

test("what is thrown is a failure under its class's name", async () => {
  class Busy extends TaskError {}
  const failed = async (thrown) => (await run(() => { throw thrown; })).failure;
  assert.deepEqual({ ...(await failed(new RangeError("no"))), traceback: 0 }, { name: "RangeError", message: "no", traceback: 0, retry: { tag: "policy" } });
  assert.deepEqual((await failed(Busy.retryAfter("later", 1.5))).retry, { tag: "after", val: 1500n });
  assert.equal((await failed(Busy.fatal("never"))).name, "Busy");
  assert.deepEqual((await failed(TaskError.fatal("never"))).retry, { tag: "never" });
  assert.deepEqual(await failed("text"), { name: "Error", message: "text", traceback: undefined, retry: { tag: "policy" } });
});
