//! `penstock completions`.

use std::io::{self, Write};

use clap_complete::{Shell, generate};

use crate::arguments::definition;

/// Prints a completion script for `shell`.
pub fn print_completions(shell: Shell, writer: &mut impl Write) -> io::Result<()> {
    let mut script = Vec::new();
    generate(shell, &mut definition(), "penstock", &mut script);
    writer.write_all(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_the_verbs() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Elvish,
        ] {
            let mut script = Vec::new();
            print_completions(shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(
                script.contains("completions") && script.contains("crd"),
                "{shell}"
            );
        }
    }
}
