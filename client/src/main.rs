//! `assay`: what people type to use the chain.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
