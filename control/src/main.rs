//! The program `csp-control`.

fn main() {}
