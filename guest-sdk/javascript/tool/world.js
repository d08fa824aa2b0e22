// The tasks that a module's exported functions are, and their WIT, from TypeScript's types (in plain
// JavaScript those of JSDoc). Must not know how a component is built.

import { join } from "node:path";
import ts from "typescript";
import { escaped, kebab } from "./names.js";
import { result, Shapes } from "./shapes.js";

const HEAD = `package task:module;

world module {
  include chicory:task/imports@0.1.0;
  import wasi:cli/environment@0.2.0;
  use chicory:task/types@0.1.0.{failure, task-error};
`;

/** The part of WASI that the SDK's own `env` needs. */
const TAIL = `}

package wasi:cli@0.2.0 {
  interface environment {
    get-environment: func() -> list<tuple<string, string>>;
  }
}
`;

/** Reads the module `entry`; `sdk` is the folder of the SDK. The error names what is wrong, and where. */
export function read(entry, sdk) {
  const program = ts.createProgram([entry], options(sdk));
  check(program);
  const shapes = new Shapes(program);
  const checker = program.getTypeChecker();
  const exports = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)) ?? none(entry));
  const tasks = exports.map((symbol) => task(symbol, checker, shapes)).filter(Boolean);
  if (tasks.length === 0) none(entry);
  const types = [...shapes.declarations.values()].map(({ text }) => `  ${text}\n`);
  const lines = tasks.map(({ name, type }) => `  export ${escaped(name)}: ${type};\n`);
  return { tasks, wit: `${HEAD}${types.join("")}${lines.join("")}${TAIL}` };
}

function none(entry) {
  throw new Error(`${entry} exports no function: what it exports are the tasks`);
}

function options(sdk) {
  return {
    allowJs: true,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
    paths: { "@chicory/sdk": [join(sdk, "src/index.d.ts")] },
    skipLibCheck: true,
    strict: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    types: [],
  };
}

function check(program) {
  const found = ts.getPreEmitDiagnostics(program).filter(({ category }) => category === ts.DiagnosticCategory.Error);
  if (found.length === 0) return;
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => process.cwd(), getNewLine: () => "\n" };
  throw new Error(ts.formatDiagnostics(found, host).trimEnd());
}

/** An exported function as a task; nothing for other exports. */
function task(symbol, checker, shapes) {
  const origin = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  if (!(origin.flags & ts.SymbolFlags.Value) || origin.flags & ts.SymbolFlags.Class) return undefined;
  const [signature] = checker.getTypeOfSymbol(origin).getCallSignatures();
  if (!signature) return undefined;
  try {
    const parameters = signature.parameters.map((one) => parameter(one, checker, shapes));
    const { value, error } = shapes.returned(signature.getReturnType());
    const type = `func(${parameters.join(", ")}) -> ${result(value, error ?? "failure")}`;
    const description = ts.displayPartsToString(origin.getDocumentationComment(checker)).split("\n", 1)[0];
    return { export: symbol.name, name: kebab(symbol.name), type, own: Boolean(error), description };
  } catch (error) {
    const node = origin.valueDeclaration;
    const { line } = node.getSourceFile().getLineAndCharacterOfPosition(node.getStart());
    throw new Error(`\`${symbol.name}\` can't be a task: ${error.message}\n  at ${node.getSourceFile().fileName}:${line + 1}`);
  }
}

function parameter(symbol, checker, shapes) {
  const type = checker.getTypeOfSymbol(symbol);
  const optional = symbol.valueDeclaration && checker.isOptionalParameter(symbol.valueDeclaration);
  try {
    const wit = shapes.of(type);
    return `${escaped(kebab(symbol.name))}: ${optional && !wit.startsWith("option<") ? `option<${wit}>` : wit}`;
  } catch (error) {
    throw new Error(`the parameter \`${symbol.name}\`: ${error.message}`);
  }
}
