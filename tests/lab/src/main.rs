//! The program behind `scripts/lab`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    csp_lab::cli::run(csp_lab::cli::Cli::parse())
}
