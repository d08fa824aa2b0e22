// Components that were made before, by the digest of everything that they are made of. Must not know how they are made.

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

// How many are kept, so that the folder does not grow without end.
const KEPT = 16;
const PREFIX = "javascript-";

/** The component made of `inputs`: the one in `folder`, or else what `make` makes. Without a folder it is made. */
export async function kept(folder, inputs, make) {
  if (!folder) return make();
  const digest = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
  const path = join(folder, `${PREFIX}${digest}.wasm`);
  try {
    const now = new Date();
    await utimes(path, now, now);
    return await readFile(path);
  } catch {
    // Not there: made below.
  }
  const component = await make();
  await mkdir(folder, { recursive: true });
  await writeFile(`${path}.${process.pid}`, component);
  await rename(`${path}.${process.pid}`, path);
  await forget(folder);
  return component;
}

/** Leaves the newest ones. */
async function forget(folder) {
  const names = (await readdir(folder)).filter((name) => name.startsWith(PREFIX) && name.endsWith(".wasm"));
  const aged = await Promise.all(names.map(async (name) => [(await stat(join(folder, name))).mtimeMs, name]));
  aged.sort(([a], [b]) => b - a);
  await Promise.all(aged.slice(KEPT).map(([, name]) => rm(join(folder, name), { force: true })));
}
