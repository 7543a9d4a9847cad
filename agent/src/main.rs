//! The program `csp-agent`.

fn main() {}
