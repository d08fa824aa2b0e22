// Names: from JavaScript's spelling to WIT's kebab-case.

const KEYWORDS = new Set(
  ("as async bool borrow char constructor enum export f32 f64 flags from func future import include " +
    "interface list map option own package record resource result s16 s32 s64 s8 static stream string " +
    "tuple type u16 u32 u64 u8 use variant with world").split(" "),
);

/** `mostCommon` and `MostCommon` as `most-common`. */
export function kebab(name) {
  const words = name.match(/[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z][A-Z0-9]*/g) ?? [];
  const result = words.map((word) => word.toLowerCase()).join("-");
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(result) || /[^\w-]/.test(name)) {
    throw new Error(`the name \`${name}\` has no form in WIT: use ASCII letters and digits, in words that begin with a letter`);
  }
  return result;
}

/** A WIT name that may be one of WIT's own words. */
export const escaped = (name) => (KEYWORDS.has(name) ? `%${name}` : name);

/** A WIT name as componentize-js names functions. */
export const camel = (name) => name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
