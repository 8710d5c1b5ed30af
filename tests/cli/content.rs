//! `penstock exec`, `env` and `render`.

use insta::assert_snapshot;

use super::stage::{Stage, literals, marker};

fn stage() -> Stage {
    let stage = Stage::new();
    let sync = literals(
        &[
            ("DB_USER", &marker("user")),
            ("DB_PASSWORD", &format!("{} 'x'", marker("$pass"))),
        ],
        "  transform: {data: {URL: {template: \"postgres://{{ DB_USER }}@db\"}}}\n",
    );
    stage.file("app.yaml", &sync);
    stage
}

#[test]
fn a_command_gets_the_keys_and_its_status_is_ours() {
    let stage = stage()
        .with("DB_USER", "of the process")
        .with("OTHER", "kept");
    stage.file(
        "show",
        "printf '%s|%s|%s' \"$DB_USER\" \"$URL\" \"$OTHER\" > seen; exit 7\n",
    );
    let run = stage.penstock("exec -f app.yaml -q -- sh show").ended(7);
    assert!(run.stdout.is_empty() && run.stderr.is_empty(), "{run}");
    let expected = format!("{0}|postgres://{0}@db|kept", marker("user"));
    assert_eq!(stage.read("seen"), Some(expected));
    assert!(stage.read("app.env").is_none(), "nothing else is on disk");
}

#[test]
fn signals_are_the_commands_own() {
    let stage = stage();
    let run = stage.penstock("exec -f app.yaml -q -- sh -c 'kill -TERM $$'");
    assert_eq!(run.status, -1, "it ended by the signal: {run}");
}

#[test]
fn what_cannot_be_run_or_set_is_named() {
    let stage = stage();
    assert_snapshot!(
        "no_command",
        stage
            .penstock("exec -f app.yaml -q -- no-such-command")
            .ended(127)
    );
    stage.file("plain", "x");
    stage.penstock("exec -f app.yaml -q -- ./plain").ended(126);
    stage.file(
        "odd.yaml",
        &literals(&[("a-b", "x"), ("LD_PRELOAD", "x")], "").replace("app.env", "app.json"),
    );
    assert_snapshot!(
        "no_variable",
        stage.penstock("exec -f odd.yaml -q -- true").ended(1)
    );
    stage.file(
        "steer.yaml",
        &literals(&[("LD_PRELOAD", "/x.so")], "")
            .replace("{name: env,", "{name: env, select: {keys: [LD_PRELOAD]},"),
    );
    assert_snapshot!(
        "steering",
        stage.penstock("exec -f steer.yaml -q -- true").ended(1)
    );
    stage
        .penstock("exec -f steer.yaml -q --target env -- true")
        .ended(0);
}

#[test]
fn env_shows_names_and_with_reveal_values_that_a_shell_reads_back() {
    let stage = stage();
    assert_snapshot!("env_names", stage.penstock("env -f app.yaml -q").ended(0));
    let run = stage
        .penstock_revealing("env -f app.yaml -q --reveal")
        .ended(0);
    stage.file(
        "env.sh",
        &format!("{}printf '%s' \"$DB_PASSWORD\"\n", run.stdout),
    );
    let seen = std::process::Command::new("sh")
        .arg(stage.path("env.sh"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(seen.stdout).unwrap(),
        format!("{} 'x'", marker("$pass"))
    );
    for form in ["dotenv", "docker-env", "json", "yaml"] {
        stage
            .penstock_revealing(&format!("env -f app.yaml -q --reveal --format {form}"))
            .ended(0);
    }
}

#[test]
fn a_secret_is_rendered_with_reveal_only() {
    let stage = stage();
    let sync = literals(&[("A", &marker("a"))], "").replace(
        "{name: env, file: {path: app.env}}",
        "{name: s, secret: {labels: {team: a}}}\n  - {name: c, configMap: {name: settings}, select: {keys: [B]}}",
    );
    let sync = sync.replace("literal: {", "literal: {B: plain, ");
    stage.file("k.yaml", &sync);
    assert_snapshot!(
        "rendered_without_secrets",
        stage.penstock("render -f k.yaml -q").ended(0)
    );
    let run = stage
        .penstock_revealing("render -f k.yaml -q --reveal --output out")
        .ended(0);
    assert!(run.stdout.is_empty(), "{run}");
    let secret = stage.read("out/default-secret-app.yaml").unwrap();
    assert_snapshot!("rendered_secret", secret);
}
