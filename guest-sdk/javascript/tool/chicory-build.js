#!/usr/bin/env node
// The command line: `chicory-build DIR --output FILE --cache DIR`.

import { parseArgs } from "node:util";
import { build } from "./build.js";

const USAGE = "usage: chicory-build DIR [--output FILE.wasm] [--cache DIR]";

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: "string" }, cache: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help || positionals.length !== 1) {
    console.log(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const path = await build(positionals[0], values.output, values.cache);
  if (!values.output) console.log(path);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
