//! The binary under another name: as a plugin of kubectl.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::stage::{Stage, literals};

#[test]
fn as_a_plugin_of_kubectl_it_works_and_says_how_it_is_called() {
    let stage = Stage::new();
    stage.file("app.yaml", &literals(&[("A", "x")], ""));
    let plugin = stage.path("kubectl-penstock");
    symlink(env!("CARGO_BIN_EXE_penstock"), &plugin).unwrap();
    let run = |words: &str| {
        let plain = stage.command(words);
        let mut command = Command::new(&plugin);
        command
            .args(plain.get_args())
            .current_dir(stage.path(""))
            .env_clear();
        let variables = plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables).output().unwrap()
    };
    let help = String::from_utf8(run("plan --help").stdout).unwrap();
    assert!(help.contains("Usage: kubectl penstock plan"), "{help}");
    assert!(
        help.contains("  kubectl penstock plan -f deploy/"),
        "{help}"
    );
    let wrong = run("plan");
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(said.contains("Usage: kubectl penstock plan"), "{said}");
    assert_eq!(run("plan -q -f app.yaml").status.code(), Some(2));
}
