// From TypeScript's types to WIT's. Must not know components.

import ts from "typescript";
import { escaped, kebab } from "./names.js";

// The SDK's type for what chicory:task declares.
const TASK_ERROR = "TaskErrorValue";

/** The WIT types of one program: each named type is declared once. */
export class Shapes {
  declarations = new Map();
  #open = new Set();

  constructor(program) {
    this.checker = program.getTypeChecker();
    this.unions = unionNames(program, this.checker);
  }

  /** The WIT type of `type`. */
  of(type) {
    const width = this.mark(type, "__wit");
    if (width && width.value !== "flags") return width.value;
    if (width) return this.flags(type);
    if (type.flags & ts.TypeFlags.Boolean) return "bool";
    if (type.isUnion()) return this.union(type);
    if (type.flags & ts.TypeFlags.Number) return "f64";
    if (type.flags & ts.TypeFlags.BigInt) return "s64";
    if (type.flags & ts.TypeFlags.String) return "string";
    if (this.checker.isTupleType(type)) return this.tuple(type);
    if (this.checker.isArrayType(type)) return `list<${this.of(this.arguments(type)[0])}>`;
    if (type.symbol?.name === "Uint8Array") return "list<u8>";
    if (isObject(type)) return this.record(type);
    throw new Error(`\`${this.text(type)}\` has no WIT type; see the table in the SDK's README`);
  }

  /** What a function returns: its WIT type if there is one, and its own error type. */
  returned(type) {
    if (type.symbol?.name === "Promise") type = this.arguments(type)[0];
    const error = this.mark(type, "__throws");
    // What is left of the mark's intersection: one type, or one of another width, which is a mark as well.
    const rest = error ? type.types.filter((part) => !part.getProperty("__throws")) : [];
    const bare = rest.length === 1 ? rest[0] : type;
    const nothing = bare.flags & (ts.TypeFlags.Void | ts.TypeFlags.Undefined | ts.TypeFlags.Null);
    return { value: nothing ? undefined : this.of(bare), error: error && this.of(error) };
  }

  /** The type of a mark of the SDK's, without `undefined`. */
  mark(type, name) {
    if (!type.isIntersection() && !type.isUnion()) return undefined;
    const part = type.isUnion() ? type.types.find((one) => one.getProperty(name)) : type;
    const property = part?.getProperty(name);
    if (!property || type.isUnion()) return undefined;
    return this.checker.getNonNullableType(this.checker.getTypeOfSymbol(property));
  }

  arguments(type) {
    return this.checker.getTypeArguments(type);
  }

  text(type) {
    return this.checker.typeToString(type);
  }

  tuple(type) {
    return `tuple<${this.arguments(type).map((part) => this.of(part)).join(", ")}>`;
  }

  union(type) {
    const missing = ts.TypeFlags.Undefined | ts.TypeFlags.Null;
    const parts = type.types.filter((part) => !(part.flags & missing));
    const inner = () => {
      if (parts.length === 1) return this.of(parts[0]);
      if (parts.every((part) => part.flags & ts.TypeFlags.BooleanLiteral)) return "bool";
      if (parts.every((part) => part.isStringLiteral())) return this.enumeration(parts, type);
      return this.variant(parts, type);
    };
    return parts.length < type.types.length ? `option<${inner()}>` : inner();
  }

  enumeration(parts, type) {
    const cases = this.ordered(parts).map((part) => exact(part.value));
    return this.declare(this.unionName(parts, type), "enum", () => cases.map(escaped), cases.join());
  }

  variant(parts, type) {
    const cases = this.ordered(parts).map((part) => {
      const tag = part.getProperty("tag") && this.checker.getTypeOfSymbol(part.getProperty("tag"));
      if (!tag?.isStringLiteral()) {
        throw new Error(
          `\`${this.text(type)}\` has no WIT type: each case of a union must be { tag: "case"; val?: … }, or all of them strings`,
        );
      }
      const val = part.getProperty("val");
      return [tag.value, val && this.checker.getTypeOfSymbol(val)];
    });
    const of = (name) => cases.find(([tag]) => tag === name)?.[1];
    if (cases.map(([tag]) => tag).sort().join() === "err,ok") {
      return result(this.value(of("ok")), this.value(of("err")));
    }
    const name = this.unionName(parts, type);
    if (name === TASK_ERROR) return "task-error";
    return this.declare(name, "variant", () =>
      cases.map(([tag, val]) => escaped(exact(tag)) + (val ? `(${this.of(val)})` : "")), unionKey(parts));
  }

  value(type) {
    return type && !(type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void)) ? this.of(type) : undefined;
  }

  unionName(parts, type) {
    const name = type.aliasSymbol?.name ?? this.unions.get(unionKey(parts))?.name;
    if (!name) throw new Error(`give \`${this.text(type)}\` a name: type Name = …`);
    return name;
  }

  /** The cases as their declaration has them: the compiler's order is that in which it met them. */
  ordered(parts) {
    const order = this.unions.get(unionKey(parts))?.order ?? [];
    return [...parts].sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  }

  flags(type) {
    const fields = type.getProperties().filter((field) => field.name !== "__wit");
    return this.declare(type.aliasSymbol?.name, "flags", () => fields.map((field) => escaped(kebab(field.name))), type);
  }

  record(type) {
    const name = type.aliasSymbol?.name ?? (type.symbol?.name === "__type" ? undefined : type.symbol?.name);
    if (!name) throw new Error(`give \`${this.text(type)}\` a name: interface Name { … }`);
    if (this.#open.has(name)) throw new Error(`\`${name}\` contains itself: WIT has no recursive types`);
    this.#open.add(name);
    const fields = type.getProperties().filter((field) => !field.name.startsWith("__"));
    if (fields.length === 0) throw new Error(`\`${name}\` has no fields, and WIT has no empty records`);
    const declared = this.declare(name, "record", () => fields.map((field) =>
      `${escaped(kebab(field.name))}: ${this.of(this.checker.getTypeOfSymbol(field))}`), type);
    this.#open.delete(name);
    return declared;
  }

  declare(given, kind, lines, identity) {
    if (!given) throw new Error(`give the ${kind} a name: type Name = …`);
    const name = kebab(given);
    const found = this.declarations.get(name);
    if (found && found.identity !== identity) throw new Error(`two types have the WIT name \`${name}\`: rename one`);
    if (!found) {
      const entry = { identity, text: "" };
      this.declarations.set(name, entry);
      entry.text = `${kind} ${escaped(name)} { ${lines().join(", ")} }`;
    }
    return escaped(name);
  }
}

/** `result<value, error>`. */
export function result(value, error) {
  if (!error) return value ? `result<${value}>` : "result";
  return `result<${value ?? "_"}, ${error}>`;
}

function exact(name) {
  if (kebab(name) !== name) throw new Error(`the case "${name}" must be in kebab-case: "${kebab(name)}"`);
  return name;
}

function isObject(type) {
  return Boolean(type.flags & ts.TypeFlags.Object) && type.getCallSignatures().length === 0 &&
    type.getStringIndexType() === undefined;
}

/** Names of unions, and the order of their cases, by their parts: a union is named no more once `undefined` has joined it. */
function unionNames(program, checker) {
  const names = new Map();
  for (const file of program.getSourceFiles().filter((file) => !program.isSourceFileDefaultLibrary(file))) {
    ts.forEachChild(file, (node) => {
      const alias = ts.isTypeAliasDeclaration(node) ? [node] : (node.jsDoc ?? []).flatMap((doc) => doc.tags ?? []).filter(ts.isJSDocTypedefTag);
      for (const one of alias) {
        const type = one.name && checker.getTypeAtLocation(one.name);
        if (!type?.isUnion?.()) continue;
        const written = one.type ?? one.typeExpression?.type;
        const cases = written && ts.isUnionTypeNode(written) ? [...written.types] : [];
        const order = cases.map((node) => checker.getTypeAtLocation(node).id);
        names.set(unionKey(type.types), { name: one.name.text, order });
      }
    });
  }
  return names;
}

const unionKey = (parts) => parts.map((part) => part.id).sort((a, b) => a - b).join();
