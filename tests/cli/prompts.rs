//! Questions on a real terminal: what is asked, what an answer does, and that Ctrl-C leaves everything as it was.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::process::Command;

use serde::Deserialize;
use serde_json::json;

use super::infisical::{REACH, held, store};
use super::stage::{Stage, literals, marker, shows_value};

/// What Ctrl-C types.
const CTRL_C: &str = "\u{3}";

/// A conversation that is over.
#[derive(Debug, Deserialize)]
struct Talk {
    seen: String,
    status: i32,
    /// Whether the terminal showed what was typed, at each step.
    echo: Vec<bool>,
    /// And at the end.
    after: bool,
}

impl Talk {
    fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        assert!(
            self.after,
            "the terminal shows again what is typed: {self:#?}"
        );
        self
    }
}

/// Runs `penstock` on a terminal. Each step waits for a text and then types one.
fn talk(stage: &Stage, words: &str, steps: &[(&str, &str)]) -> Talk {
    talk_to(stage, words, steps, false)
}

/// The same, where whoever starts it may have it `deaf` to interrupts.
fn talk_to(stage: &Stage, words: &str, steps: &[(&str, &str)], deaf: bool) -> Talk {
    let command = stage.command(words);
    let argv: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_str().unwrap().to_owned())
        .collect();
    let mut env: serde_json::Map<String, serde_json::Value> = command
        .get_envs()
        .map(|(name, value)| {
            (
                name.to_str().unwrap().to_owned(),
                json!(value.unwrap().to_str().unwrap()),
            )
        })
        .collect();
    env.insert("TERM".to_owned(), json!("dumb"));
    let asked =
        json!({"argv": argv, "cwd": stage.path(""), "env": env, "steps": steps, "deaf": deaf});
    let output = Command::new("python3")
        .args(["-I", "-c", include_str!("pty.py")])
        .arg(asked.to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let talk: Talk = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        !shows_value(&talk.seen),
        "a value on the terminal: {talk:#?}"
    );
    talk
}

/// A stage on which a sync would delete one of five keys.
fn deleting() -> Stage {
    let stage = Stage::new();
    let values = ["A", "B", "C", "D", "E"].map(|key| (key, marker(key)));
    let pairs: Vec<_> = values
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    stage.file("app.yaml", &literals(&pairs, ""));
    stage.penstock("sync -q -f app.yaml").ended(0);
    stage.file("app.yaml", &literals(&pairs[1..], ""));
    stage
}

#[test]
fn a_deletion_is_asked_for_and_only_a_yes_is_one() {
    let question = "delete 1 key? [y/N] ";
    for (answer, status, gone) in [
        ("n\n", 1, false),
        ("\n", 1, false),
        ("\u{4}", 1, false),
        ("y\n", 0, true),
    ] {
        let stage = deleting();
        let talk = talk(&stage, "sync -q -f app.yaml", &[(question, answer)]).ended(status);
        assert_eq!(talk.echo, [true]);
        assert_eq!(
            stage.read("app.env").unwrap().contains("A="),
            !gone,
            "{answer:?}"
        );
    }
}

#[test]
fn an_interrupt_at_the_question_writes_nothing() {
    let stage = deleting();
    let before = stage.files();
    let talk = talk(&stage, "sync -q -f app.yaml", &[("[y/N] ", CTRL_C)]).ended(130);
    assert!(
        talk.seen.contains("interrupted: every target holds"),
        "{talk:#?}"
    );
    assert_eq!(stage.files(), before);
    // Nor is what was typed before it taken for an answer.
    let typed = format!("y{CTRL_C}");
    let typed = [("[y/N] ", typed.as_str())];
    self::talk(&stage, "sync -q -f app.yaml", &typed).ended(130);
    assert_eq!(stage.files(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_typed_unseen_and_leaving_the_prompt_writes_nothing() {
    let (fake, stage) = store().await;
    let set = format!("set infisical /app TOKEN {REACH}");
    let prompt = "Value of TOKEN (it is not shown): ";
    for left in [
        CTRL_C.to_owned(),
        format!("{}{CTRL_C}", marker("half")),
        "\u{4}".to_owned(),
    ] {
        let talk = tokio::task::block_in_place(|| talk(&stage, &set, &[(prompt, &left)]));
        let talk = talk.ended(130);
        assert!(talk.seen.contains("nothing was written"), "{talk:#?}");
        assert_eq!(talk.echo, [false]);
    }
    assert_eq!(fake.server().seen().len(), 0, "nobody was even asked");
    let typed = format!("{}x\u{7f}\n", marker("typed"));
    let talk = tokio::task::block_in_place(|| talk(&stage, &set, &[(prompt, &typed)])).ended(0);
    assert_eq!(talk.echo, [false]);
    assert_eq!(
        held(&fake),
        ["KEPT=kept".to_owned(), format!("TOKEN={}", marker("typed"))]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_asks_for_each_key_and_may_be_left_at_each() {
    let (fake, stage) = store().await;
    let env = format!("TOKEN={}\nPORT=8080\n", marker("token"));
    stage.file(".env", &env);
    let import = format!("import .env --to infisical /app {REACH}");
    let questions = [
        "PORT: [s]ecret or [C]onfiguration? ",
        "TOKEN: [S]ecret or [c]onfiguration? ",
        "Move these keys? [y/N] ",
    ];
    for stop in 0..3 {
        let steps: Vec<(&str, &str)> = questions
            .iter()
            .take(stop + 1)
            .enumerate()
            .map(|(index, question)| (*question, if index == stop { CTRL_C } else { "\n" }))
            .collect();
        let talk = tokio::task::block_in_place(|| talk(&stage, &import, &steps)).ended(130);
        assert!(talk.seen.contains("nothing was written"), "{talk:#?}");
        assert_eq!(stage.read(".env").as_ref(), Some(&env));
        assert_eq!(held(&fake), ["KEPT=kept"]);
    }
    // A shell that starts something in the background has it ignore interrupts; a question hears them all the same.
    let steps = [(questions[0], CTRL_C)];
    tokio::task::block_in_place(|| talk_to(&stage, &import, &steps, true)).ended(130);
    assert_eq!(held(&fake), ["KEPT=kept"]);
    // An answer that is none is asked again; Ctrl-D leaves.
    let steps = [(questions[0], "what\n"), (questions[0], "\u{4}")];
    tokio::task::block_in_place(|| talk(&stage, &import, &steps)).ended(130);
    let steps = [
        (questions[0], "c\n"),
        (questions[1], "\n"),
        (questions[2], "y\n"),
    ];
    tokio::task::block_in_place(|| talk(&stage, &import, &steps)).ended(0);
    assert_eq!(
        held(&fake),
        ["KEPT=kept".to_owned(), format!("TOKEN={}", marker("token"))]
    );
    assert_eq!(stage.read(".env").as_deref(), Some("PORT=8080\n"));
}
