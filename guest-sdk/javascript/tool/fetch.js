// The engine's own `fetch`. A bundle that uses it has this file in it, which is how the build knows.

export const fetch = (...request) => globalThis.fetch(...request);
