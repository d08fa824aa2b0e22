// Where each line of a bundle came from, so that stack traces can name the author's files. Must not know components.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Of a source map: its files, null for those that are not `own`; and for each line of the bundle [file, line],
 *  or null where it is nobody's. */
export function lines(map, own) {
  let file = 0;
  let line = 0;
  const rows = map.mappings.split(";").map((row) => {
    let first = null;
    for (const segment of row.split(",").filter(Boolean)) {
      const [, files = 0, lines = 0] = numbers(segment);
      file += files;
      line += lines;
      first ??= [file, line + 1];
    }
    return first;
  });
  return { files: map.sources.map((name) => (own(name) ? name : null)), rows };
}

/** The numbers of one segment, which are differences, in base 64 with five bits a digit. */
function numbers(segment) {
  const found = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return found;
}
