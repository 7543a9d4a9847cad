//! The program behind `scripts/lab`.

fn main() {}
