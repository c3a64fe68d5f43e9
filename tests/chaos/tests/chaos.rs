//! The short form as a test, and all that `cargo xtask chaos` runs.

fn main() -> std::process::ExitCode {
    optlock_chaos::main()
}
