//! Whether a file would end up in a commit (rule 3 of the design). Git is asked; nothing of it is guessed.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use penstock_domain::fault::Fault;
use tokio::process::Command;

use super::failure::FileFailure;

/// How long git may think.
const PATIENCE: Duration = Duration::from_secs(10);

/// What would lead git to another repository than that of the file, or make it run something.
const MISLEADING: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_EXTERNAL_DIFF",
    "GIT_TRACE",
    "GIT_LITERAL_PATHSPECS",
];

/// Fails when the file lies in a work tree and git tracks it, or does not ignore it, or does not say.
pub(super) async fn check(real: &Path) -> Result<(), FileFailure> {
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(FileFailure::NotPlain);
    };
    let in_work_tree = folder
        .ancestors()
        .any(|folder| folder.join(".git").exists());
    if !in_work_tree {
        return Ok(());
    }
    // 0: it is in the index. 1: it is not.
    let tracked = ["--literal-pathspecs", "ls-files", "--error-unmatch", "--"];
    match ask(folder, &tracked, name).await {
        Some(0) => return Err(FileFailure::Tracked),
        Some(1) => {}
        _ => return Err(FileFailure::GitSilent),
    }
    // 0: a rule ignores it. 1: none does. It knows no literal pathspecs; no magic begins with a dot and a slash.
    let mut plain = OsString::from("./");
    plain.push(name);
    match ask(folder, &["check-ignore", "--quiet", "--"], &plain).await {
        Some(0) => Ok(()),
        Some(1) => Err(FileFailure::NotIgnored),
        _ => Err(FileFailure::GitSilent),
    }
}

/// Why a file would end up in a commit, if it would: git tracks it, does not ignore it, or does not say.
pub async fn would_be_committed(path: &Path) -> Option<Fault> {
    let real = path.canonicalize().ok()?;
    let failure = check(&real).await.err()?;
    Some(failure.fault(path.display().to_string()))
}

/// The exit status of one question.
async fn ask(folder: &Path, question: &[&str], name: &OsStr) -> Option<i32> {
    let mut command = Command::new("git");
    for variable in MISLEADING {
        command.env_remove(variable);
    }
    // The repository's own configuration must not run anything.
    command
        .arg("--no-optional-locks")
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args(question)
        .arg(name)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().ok()?;
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    status.ok()?.ok()?.code()
}
