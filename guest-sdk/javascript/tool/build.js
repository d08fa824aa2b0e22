// Makes a component of a folder: WIT, bundle, componentize-js, and the metadata of its tasks.

import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { camel } from "./names.js";
import { kept } from "./kept.js";
import { lines } from "./lines.js";
import { section } from "./metadata.js";

const SDK = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const BUNDLE = "chicory.js";
/** What each use of the global `fetch` becomes, and of nothing else that is called so: a bundle in which it is
 *  found has HTTP built in. */
const FETCH = "globalThis.fetch";
const ENTRIES = ["src/index.ts", "index.ts", "src/index.js", "index.js"];

/** Builds the project in `dir`; the component's path. `cache` is a folder for what was built before. */
export async function build(dir, output, cache) {
  const project = { ...(await find(resolve(dir))), cache };
  const scratch = await mkdtemp(join(tmpdir(), "chicory-"));
  try {
    const made = existsSync(join(project.dir, "wit")) ? await byWit(project, scratch) : await byTypes(project, scratch);
    const path = resolve(output ?? join(project.dir, "build", `${project.name}.wasm`));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, Buffer.concat([made.component, section(made.tasks)]));
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The project in a folder: `chicory.entry` of its package.json, or the first of the usual places. */
async function find(dir) {
  const file = join(dir, "package.json");
  const settings = existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : {};
  const { entry, http } = settings.chicory ?? {};
  const found = entry ?? ENTRIES.find((place) => existsSync(join(dir, place)));
  if (!found) throw new Error(`${dir} has none of ${ENTRIES.join(", ")}; name the file in package.json: "chicory": {"entry": "…"}`);
  return { dir, entry: join(dir, found), http, name: basename(settings.name ?? dir) };
}

/** Types decide: exported functions are tasks. */
async function byTypes(project, scratch) {
  const { read } = await import("./world.js");
  const { tasks, wit } = read(project.entry, SDK);
  const lines = tasks.map(({ export: name, name: task, own }) =>
    `export const ${camel(task)} = ${own ? "own" : "guard"}(app.${name});`);
  const glue = [
    `import * as app from ${JSON.stringify(project.entry)};`,
    `import { guard, own } from ${JSON.stringify(join(SDK, "src/guest.js"))};`,
    ...lines,
  ].join("\n");
  const component = await componentize(await bundle(project, glue, ["chicory"]), await withContract(wit), undefined, project);
  const app = await evaluated(project, scratch);
  const settings = (task) => ({ description: task.description, ...app[task.export]?.chicory });
  return { component, tasks: tasks.map((task) => ({ name: task.name, settings: settings(task) })) };
}

/** A WIT file decides: the module exports what its world does, and throws what its errors are. */
async function byWit(project, scratch) {
  const files = (await readdir(join(project.dir, "wit"))).filter((name) => name.endsWith(".wit")).sort();
  const text = (await Promise.all(files.map((name) => readFile(join(project.dir, "wit", name), "utf8")))).join("\n");
  const world = /^\s*world\s+%?([a-z0-9-]+)/m.exec(text)?.[1];
  if (!world) throw new Error(`${project.dir}/wit has no world`);
  const wit = /chicory:task/.test(text) ? await withContract(text) : text;
  const glue = `export * from ${JSON.stringify(project.entry)};`;
  const component = await componentize(await bundle(project, glue, ["chicory"]), wit, world, project);
  const app = await evaluated(project, scratch);
  const tasks = Object.entries(app).filter(([, value]) => value?.chicory);
  const { kebab } = await import("./names.js");
  return { component, tasks: tasks.map(([name, { chicory }]) => ({ name: kebab(name), settings: chicory })) };
}

/** The WIT with the package of what a task may import below it: from a published SDK, or the repository. */
async function withContract(wit) {
  const places = [join(SDK, "wit/task.wit"), join(SDK, "../../wit/task.wit")];
  const found = places.find(existsSync);
  if (!found) throw new Error(`the SDK is incomplete: there is no ${places[0]}`);
  const contract = await readFile(found, "utf8");
  return `${wit}\n${contract.replace(/^(package chicory:task@[0-9.]+);/m, "$1 {")}}\n`;
}

/** One module of everything, npm's packages included, and whether anything in it uses the global `fetch`. */
export async function bundle(project, glue, conditions) {
  const esbuild = await import("esbuild");
  const built = await esbuild.build({
    stdin: { contents: glue, resolveDir: project.dir, sourcefile: BUNDLE },
    absWorkingDir: project.dir,
    alias: { "@chicory/sdk": join(SDK, "src/index.js") },
    bundle: true,
    conditions,
    define: { fetch: FETCH },
    external: ["chicory:*", "wasi:*"],
    format: "esm",
    keepNames: true,
    legalComments: "none",
    logLevel: "silent",
    outfile: join(project.dir, BUNDLE),
    platform: "neutral",
    mainFields: ["module", "main"],
    sourcemap: "external",
    target: "es2022",
    write: false,
  });
  const [map, code] = ["map", "js"].map((end) => built.outputFiles.find(({ path }) => path.endsWith(end)).text);
  const own = (name) => name !== BUNDLE && !resolve(project.dir, name).startsWith(join(SDK, "src"));
  return { fetches: code.includes(FETCH), source: `${code}globalThis.chicoryLines = ${JSON.stringify(lines(JSON.parse(map), own))};\n` };
}

async function componentize({ source, fetches }, witWorld, worldName, project) {
  const options = {
    witWorld,
    worldName,
    sourceName: BUNDLE,
    disableFeatures: (project.http ?? fetches) ? ["fetch-event"] : ["http", "fetch-event"],
  };
  const tool = fileURLToPath(import.meta.resolve("@bytecodealliance/componentize-js"));
  const { version } = JSON.parse(await readFile(join(dirname(tool), "../package.json"), "utf8"));
  return kept(project.cache, [version, source, options], async () => {
    const { componentize } = await import("@bytecodealliance/componentize-js");
    return Buffer.from((await componentize(source, options)).component);
  });
}

/** The module, imported here with a stand-in for its host: for its tasks' settings. */
async function evaluated(project, scratch) {
  const glue = `export * from ${JSON.stringify(project.entry)};`;
  const file = join(scratch, "settings.mjs");
  const here = "data:text/javascript,export const write=()=>{},report=()=>{}";
  const { source } = await bundle(project, glue, []);
  await writeFile(file, source.replace(/"(chicory|wasi):[^"]*"/g, JSON.stringify(here)));
  return import(pathToFileURL(file).href);
}
