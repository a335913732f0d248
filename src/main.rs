//! The program. Everything it does is one of `tollgate::cli`'s commands.

use std::process::ExitCode;

/// Many small allocations of many cores: the system's allocator is the slower one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tollgate::cli::main(std::env::args_os())
}
