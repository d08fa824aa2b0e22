//! Exits with the code in its first argument (0 without any), after a line on both outputs; `abort`
//! in place of a code aborts. Must not know Chicory.

fn main() {
    let code = std::env::args().nth(1).unwrap_or_default();
    println!("on stdout before {code:?}");
    eprintln!("on stderr before {code:?}");
    if code == "abort" {
        std::process::abort();
    }
    std::process::exit(code.parse().unwrap_or(0));
}
