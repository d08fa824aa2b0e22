// No WIT type corresponds to what this takes.

export const many = (all: Map<string, number>): number => all.size;
