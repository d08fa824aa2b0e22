// The environment of the tests' own process. Must not be in a component.

export const variables = () => Object.entries(process.env);
