#!/usr/bin/env node
// The command line: `chicory-build DIR --output FILE`.

import { parseArgs } from "node:util";
import { build } from "./build.js";

const USAGE = "usage: chicory-build DIR [--output FILE.wasm]";

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help || positionals.length !== 1) {
    console.log(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  console.log(await build(positionals[0], values.output));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
