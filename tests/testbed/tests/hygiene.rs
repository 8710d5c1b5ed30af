//! Nothing outlives the one who started it, however that one ends.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use penstock_testbed::{Keeper, KeeperError, Launch, Process, Signal, eventually};

type Outcome = Result<(), Box<dyn Error>>;

const SOON: Duration = Duration::from_secs(20);
const VICTIM: &str = "PENSTOCK_TEST_VICTIM";

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_penstock-testbed").into()
}

/// A shell that starts a child of its own, writes both process ids and waits.
fn family(directory: &Path) -> Launch {
    Launch {
        name: "family".into(),
        program: "sh".into(),
        arguments: vec!["-c".into(), "sleep 1000 & echo $$ $! > ids; wait".into()],
        environment: BTreeMap::new(),
        inherit: false,
        directory: directory.to_path_buf(),
        log: directory.join("family.log"),
    }
}

/// Starts the family and gives back the process ids of its members.
async fn start_family(keeper: &Arc<Keeper>) -> Result<(Process, Vec<u32>), Box<dyn Error>> {
    let process = keeper.spawn(family(keeper.directory())).await?;
    let file = keeper.directory().join("ids");
    let ids = eventually("the family is complete", SOON, || async {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let ids: Vec<u32> = text
            .split_whitespace()
            .filter_map(|id| id.parse().ok())
            .collect();
        if ids.len() == 2 { Ok(ids) } else { Err(text) }
    })
    .await?;
    assert_eq!(ids.first(), Some(&process.id()));
    Ok((process, ids))
}

async fn all_gone(ids: &[u32]) -> Outcome {
    eventually("all processes are gone", SOON, || async {
        let left: Vec<_> = ids.iter().filter(|id| is_alive(**id)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await?;
    Ok(())
}

/// A zombie is gone: it only waits for its parent to notice.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[tokio::test]
async fn closing_ends_whole_families_and_removes_the_directory() -> Outcome {
    let keeper = Keeper::start(&program()).await?;
    let (process, ids) = start_family(&keeper).await?;
    let directory = keeper.directory().to_path_buf();
    keeper.close().await;
    all_gone(&ids).await?;
    assert!(!directory.exists());
    assert!(process.exit().is_none_or(|exit| exit.signal == Some(9)));
    Ok(())
}

#[tokio::test]
async fn a_frozen_process_is_ended_too() -> Outcome {
    let keeper = Keeper::start(&program()).await?;
    let (process, ids) = start_family(&keeper).await?;
    process.signal(Signal::Pause).await?;
    keeper.close().await;
    all_gone(&ids).await
}

#[tokio::test]
async fn dropping_a_process_ends_its_family() -> Outcome {
    let keeper = Keeper::start(&program()).await?;
    let (process, ids) = start_family(&keeper).await?;
    drop(process);
    all_gone(&ids).await
}

#[tokio::test]
async fn an_exit_is_told_with_its_code_and_its_log() -> Outcome {
    let keeper = Keeper::start(&program()).await?;
    let launch = Launch {
        arguments: vec!["-c".into(), "echo last words; exit 3".into()],
        ..family(keeper.directory())
    };
    let process = keeper.spawn(launch).await?;
    assert_eq!(process.wait().await.code, Some(3));
    assert_eq!(process.log()?, "last words\n");
    assert!(matches!(
        process.signal(Signal::Terminate).await,
        Err(KeeperError::Refused { .. })
    ));
    Ok(())
}

#[tokio::test]
async fn a_program_sees_no_environment_but_its_own() -> Outcome {
    let keeper = Keeper::start(&program()).await?;
    let mut launch = family(keeper.directory());
    launch.arguments = vec![
        "-c".into(),
        "env | cut -d= -f1 | sort | tr '\\n' ' '".into(),
    ];
    launch.environment.insert("OWN".into(), "1".into());
    let process = keeper.spawn(launch).await?;
    process.wait().await;
    let names = process.log()?;
    assert!(names.contains("OWN") && names.contains("HOME"), "{names}");
    assert!(!names.contains("CARGO"), "{names}");
    Ok(())
}

#[tokio::test]
async fn a_keeper_that_is_told_to_end_cleans_up() -> Outcome {
    for signal in ["TERM", "INT", "HUP"] {
        let victim = Victim::start(&["keeper"])?;
        victim.send(signal)?;
        eventually("the directory is gone", SOON, || async {
            if victim.directory.exists() {
                Err(signal)
            } else {
                Ok(())
            }
        })
        .await?;
    }
    Ok(())
}

/// SIGKILL leaves no time to clean up: the system itself has to end the children.
#[tokio::test]
async fn children_of_a_keeper_that_was_killed_end() -> Outcome {
    if !Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "true"])
        .status()?
        .success()
    {
        return Ok(());
    }
    let keeper = Keeper::start(&program()).await?;
    let (process, ids) = start_family(&keeper).await?;
    let parent = parent_of(process.id()).ok_or("no parent")?;
    kill("KILL", parent)?;
    all_gone(ids.get(..1).unwrap_or_default()).await?;
    // Its own child is not ours to end in that case; the test is.
    for id in ids {
        drop(kill("KILL", id));
    }
    std::fs::remove_dir_all(keeper.directory())?;
    Ok(())
}

/// The whole chain, as when a test run is killed: this test starts itself once more as another
/// process, which starts a keeper and a family, and kills that process.
#[tokio::test]
async fn a_client_that_is_killed_takes_everything_along() -> Outcome {
    if std::env::var_os(VICTIM).is_some() {
        return play_victim().await;
    }
    let own = std::env::current_exe()?;
    let mut child = Command::new(own)
        .args([
            "--exact",
            "a_client_that_is_killed_takes_everything_along",
            "--nocapture",
        ])
        .env(VICTIM, "1")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let told = BufReader::new(output).lines().map_while(Result::ok);
    let told: Vec<String> = told
        .skip_while(|line| !line.contains("family:"))
        .take(1)
        .collect();
    let line = told.first().ok_or("the victim said nothing")?;
    let words: Vec<&str> = line
        .split_whitespace()
        .skip_while(|word| !word.ends_with("family:"))
        .skip(1)
        .collect();
    let (directory, ids) = words.split_first().ok_or("the victim said too little")?;
    let ids: Vec<u32> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    assert_eq!(ids.len(), 2, "{line}");
    // The group, as a CI system would.
    kill("KILL", format!("-{}", child.id()))?;
    child.wait()?;
    all_gone(&ids).await?;
    eventually("the directory is gone", SOON, || async {
        if Path::new(directory).exists() {
            Err(*directory)
        } else {
            Ok(())
        }
    })
    .await?;
    Ok(())
}

async fn play_victim() -> Outcome {
    let keeper = Keeper::start(&program()).await?;
    let (_process, ids) = start_family(&keeper).await?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let line = format!(
        "family: {} {}\n",
        keeper.directory().display(),
        ids.join(" ")
    );
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    std::future::pending().await
}

/// A keeper without a client library, its input held open.
struct Victim {
    child: Child,
    directory: PathBuf,
}

impl Victim {
    fn start(arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready: serde_json::Value = serde_json::from_str(&line)?;
        let directory = ready["Ready"]["directory"].as_str().ok_or("no directory")?;
        let directory = PathBuf::from(directory);
        assert!(directory.is_dir());
        Ok(Self { child, directory })
    }

    fn send(&self, signal: &str) -> Outcome {
        kill(signal, self.child.id())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn kill(signal: &str, target: impl std::fmt::Display) -> Outcome {
    let status = Command::new("kill")
        .args(["-s", signal, "--", &target.to_string()])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("kill {target}: {status}").into())
    }
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
