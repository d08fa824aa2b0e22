// The module {{name}}: each exported function is a task, whose types its JSDoc comment gives.

import { log, task } from "@chicory/sdk";

/**
 * @typedef {import("@chicory/sdk").U32} U32
 * @typedef {{ words: U32, unique: U32, mostCommon: [string, U32][] }} Summary
 */

/** Counts the words of a text, and names the most frequent ones. */
export const summarize = task({ maxRetries: 3, backoff: "exponential" }, count);

/**
 * @param {string} text
 * @param {U32} top
 * @returns {Summary}
 */
function count(text, top) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) throw new RangeError("empty text");
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  log.info(`${counts.size} different words`);
  const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return { words: words.length, unique: counts.size, mostCommon: ranked.slice(0, top) };
}
