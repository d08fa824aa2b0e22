// The module {{name}}: each exported function is a task.

import { log, task, type U32 } from "@chicory/sdk";

interface Summary { words: U32; unique: U32; mostCommon: [string, U32][] }

/** Counts the words of a text, and names the most frequent ones. */
export const summarize = task({ maxRetries: 3, backoff: "exponential" }, (text: string, top: U32): Summary => {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) throw new RangeError("empty text");
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  log.info(`${counts.size} different words`);
  const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return { words: words.length, unique: counts.size, mostCommon: ranked.slice(0, top) };
});
