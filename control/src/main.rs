//! The program `csp-control`.

use std::process::ExitCode;

fn main() -> ExitCode {
    csp_control::cli::main()
}
