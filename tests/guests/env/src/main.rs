//! Prints its environment as `NAME=value` lines by the alphabet, then its arguments. Must not know
//! Chicory.

fn main() {
    let mut variables: Vec<_> = std::env::vars().collect();
    variables.sort();
    for (name, value) in variables {
        println!("{name}={value}");
    }
    for argument in std::env::args() {
        println!("argument {argument}");
    }
}
