//! The program that compiles a module for the loader's target, in a process of its own.

fn main() -> std::process::ExitCode {
    chicory_runtime::serve_compiler()
}
