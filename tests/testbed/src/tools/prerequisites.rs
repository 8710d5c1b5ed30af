//! What a machine must have before anything can be built.

use std::fmt;
use std::process::{Command, Stdio};

/// Something that has to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// Go, 1.21 or later: an older one cannot fetch the release that the servers ask for.
    Go,
    /// Python 3 with pip.
    Python,
    /// A C compiler.
    C,
    /// make.
    Make,
    /// git.
    Git,
    /// Rust's cargo.
    Cargo,
}

impl Prerequisite {
    /// What `penstock-testbed build` needs.
    pub const SERVERS: [Self; 2] = [Self::Go, Self::Python];
    /// What the demo needs: the servers and Penstock itself.
    pub const ALL: [Self; 6] = [
        Self::Go,
        Self::Python,
        Self::C,
        Self::Make,
        Self::Git,
        Self::Cargo,
    ];

    /// What it is for, in a few words.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Go => "Go 1.21 or later builds Kubernetes, etcd, kwok and Helm",
            Self::Python => "Python 3 with pip fetches OpenBao",
            Self::C => "a C compiler builds Penstock's cryptography",
            Self::Make => "make runs the verbs",
            Self::Git => "git fetches Penstock",
            Self::Cargo => "Rust builds Penstock",
        }
    }

    /// How to get it.
    pub fn install(self) -> &'static str {
        match self {
            Self::Go => "https://go.dev/dl, or: apt install golang-go · dnf install golang",
            Self::Python => "apt install python3 python3-pip · dnf install python3-pip",
            Self::C => "apt install build-essential · dnf install gcc",
            Self::Make => "apt install make · dnf install make",
            Self::Git => "apt install git · dnf install git",
            Self::Cargo => "https://rustup.rs",
        }
    }

    fn is_present(self) -> bool {
        match self {
            Self::Go => answer("go", &["env", "GOVERSION"]).is_some_and(|said| is_go_121(&said)),
            Self::Python => answer("python3", &["-m", "pip", "--version"]).is_some(),
            Self::C => answer("cc", &["--version"]).is_some(),
            Self::Make => answer("make", &["--version"]).is_some(),
            Self::Git => answer("git", &["--version"]).is_some(),
            Self::Cargo => answer("cargo", &["--version"]).is_some(),
        }
    }
}

/// The machine cannot build; the message says what to install.
#[derive(Debug, thiserror::Error)]
pub struct MissingPrerequisites(pub Vec<Prerequisite>);

impl fmt::Display for MissingPrerequisites {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("this machine lacks:")?;
        for missing in &self.0 {
            write!(
                formatter,
                "\n- {}. Get it: {}",
                missing.purpose(),
                missing.install()
            )?;
        }
        Ok(())
    }
}

/// Looks for each, and names all that is missing at once.
pub fn check(needed: &[Prerequisite]) -> Result<(), MissingPrerequisites> {
    let missing: Vec<_> = needed
        .iter()
        .copied()
        .filter(|needed| !needed.is_present())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(MissingPrerequisites(missing))
    }
}

/// What a program says when asked, if it is there and content.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

fn is_go_121(version: &str) -> bool {
    let mut parts = version.trim_start_matches("go").split(['.', '-', ' ']);
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    number() == Some(1) && number().is_some_and(|minor| minor >= 21)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_go_that_can_fetch_newer_ones_will_do() {
        assert!(is_go_121("go1.26.8") && is_go_121("go1.21.0"));
        assert!(!is_go_121("go1.19.8") && !is_go_121("") && !is_go_121("devel"));
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let message = MissingPrerequisites(vec![Prerequisite::Go, Prerequisite::C]).to_string();
        assert!(
            message.contains("go.dev") && message.contains("build-essential"),
            "{message}"
        );
    }
}
