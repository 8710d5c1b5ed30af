//! Official clients against our stand-ins: what a vendor's own program accepts is not only what we believe.

mod aws;
mod azure;
mod bitwarden;
mod bitwarden_sm;
mod doppler;
mod gcp;
mod infisical;
mod one_password;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use penstock_testbed::{Failure, cache_directory};
use tokio::process::Command;
use tokio::time::timeout;

type Outcome = Result<(), Failure>;

/// How long an installation may take.
const INSTALLING: Duration = Duration::from_mins(10);
/// How long a script may take.
const RUNNING: Duration = Duration::from_mins(2);

/// A Python package with what it needs, in the user's cache; none where this machine cannot have it, which is
/// said once.
pub(crate) async fn python_package(requirement: &str) -> Result<Option<PathBuf>, Failure> {
    python_packages(&[requirement]).await
}

/// The same for several that are used together.
async fn python_packages(requirements: &[&str]) -> Result<Option<PathBuf>, Failure> {
    let requirement = requirements.join(" ");
    let folder = cache_directory()?.join("clients").join(&requirement);
    let done = folder.join(".installed");
    if done.is_file() {
        return Ok(Some(folder));
    }
    let mut install = Command::new("python3");
    install
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--no-compile", "--target"])
        .arg(&folder)
        .args(requirements);
    installed(install, &requirements.join(" "), &done)
        .await
        .map(|done| done.then_some(folder))
}

/// A package of npm with what it needs, in the user's cache; none where this machine cannot have it, which is said
/// once.
async fn npm_package(requirement: &str) -> Result<Option<PathBuf>, Failure> {
    let name = requirement.replace('/', "+");
    let folder = cache_directory()?.join("clients").join(name);
    let done = folder.join(".installed");
    if done.is_file() {
        return Ok(Some(folder));
    }
    std::fs::create_dir_all(&folder)?;
    let mut install = Command::new("npm");
    install
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(&folder)
        .arg(requirement);
    installed(install, requirement, &done)
        .await
        .map(|done| done.then_some(folder))
}

/// Installs something, and marks that it is there.
async fn installed(mut install: Command, what: &str, done: &Path) -> Result<bool, Failure> {
    let reason = match timeout(INSTALLING, install.kill_on_drop(true).output()).await {
        Ok(Ok(output)) if output.status.success() => {
            std::fs::write(done, "")?;
            return Ok(true);
        }
        Ok(Ok(output)) => last_line(&output.stderr),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    let message = format!("\nskipped: {what} cannot be installed here: {reason}\n\n");
    // A closed standard error is no reason to fail.
    drop(std::io::stderr().write_all(message.as_bytes()));
    Ok(false)
}

/// Runs a script with the packages of `folder` and the words of `arguments`; it must succeed.
async fn python(folder: &Path, script: &str, arguments: &[&str]) -> Result<String, Failure> {
    let mut python = Command::new("python3");
    python
        .args(["-I", "-c"])
        .arg(format!(
            "import sys; sys.path.insert(0, sys.argv.pop(1))\n{script}"
        ))
        .arg(folder)
        .args(arguments)
        .env_clear()
        .kill_on_drop(true);
    let output: Output = timeout(RUNNING, python.output())
        .await
        .map_err(|_| Failure::because("the script takes too long"))??;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::because(format!("the script failed:\n{said}")))
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().rev();
    let line = lines.find(|line| line.contains("ERROR") || line.contains("npm error"));
    line.unwrap_or("no reason given").trim().to_owned()
}
