//! See [`outlive_trials::soak`].

fn main() -> std::process::ExitCode {
    outlive_trials::soak::main()
}
