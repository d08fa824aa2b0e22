// The environment of a component. Must not be imported outside one; only what uses it has it built in.

export { getEnvironment as variables } from "wasi:cli/environment@0.2.0";
