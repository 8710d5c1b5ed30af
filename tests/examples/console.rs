//! Runs what a README shows, so that it cannot drift: every ```` ```console ```` block, command by command, in one
//! shell.
//!
//! A line that begins with `$ ` is a command; one that ends in a backslash goes on. The lines below are what it
//! prints, if any stand there: `…` stands for anything within a line, and alone for any number of lines. A command
//! ends with status 0, unless its comment says otherwise: `# exit status 2`.

use std::collections::BTreeMap;

use super::checkout::{Checkout, examples};

/// Goes on where the last command stopped: its folder and its variables.
const SHELL: &str = r#"[ -f "$2" ] && . "$2"
eval "$1"
status=$?
{ export -p; printf 'cd %q\n' "$PWD"; } > "$2"
exit $status"#;

/// One command of a README.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    command: String,
    printed: Vec<String>,
}

impl Step {
    /// How it ends.
    fn status(&self) -> i32 {
        let said = self.command.split_once("exit status ");
        let digits = said.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
        let digits = digits.map(Iterator::collect::<String>);
        digits.map_or(0, |digits| digits.parse().unwrap_or(-1))
    }

    fn printed(&self, text: &str) -> bool {
        let lines: Vec<&str> = text.lines().collect();
        let expected: Vec<&str> = self.printed.iter().map(String::as_str).collect();
        expected.is_empty()
            || matches(&expected, &lines, &|one, line| {
                let parts: Vec<char> = one.chars().collect();
                matches_line(&parts, &line.chars().collect::<Vec<_>>())
            })
    }
}

fn matches_line(expected: &[char], line: &[char]) -> bool {
    match expected.split_first() {
        None => line.is_empty(),
        Some(('…', rest)) => (0..=line.len()).any(|skip| matches_line(rest, &line[skip..])),
        Some((one, rest)) => line.first() == Some(one) && matches_line(rest, &line[1..]),
    }
}

fn matches(expected: &[&str], lines: &[&str], one: &dyn Fn(&str, &str) -> bool) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&"…", rest)) => (0..=lines.len()).any(|skip| matches(rest, &lines[skip..], one)),
        Some((first, rest)) => {
            lines.first().is_some_and(|line| one(first, line)) && matches(rest, &lines[1..], one)
        }
    }
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            let command = line.strip_prefix("$ ");
            match (goes_on, command, steps.last_mut()) {
                (true, _, Some(step)) => step.command = format!("{}\n{line}", step.command),
                (_, Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    printed: Vec::new(),
                }),
                (_, None, Some(step)) => step.printed.push(line.to_owned()),
                (_, None, None) => {}
            }
            goes_on = line.ends_with('\\');
        }
    }
    steps
}

/// Does what the README of the example says. It must say something, on few lines.
pub(super) fn follow_readme(checkout: &Checkout) {
    let readme = checkout.read("README.md").unwrap_or_default();
    assert!(readme.lines().count() <= 40, "a README is short");
    let steps = steps(&readme);
    assert!(!steps.is_empty(), "a README says what to type");
    let state = checkout.top().join("shell-state");
    let state = state.to_str().unwrap_or_default();
    for step in steps {
        let words = ["bash", "-c", SHELL, "bash", &step.command, state];
        let mut ran = checkout.run(&words, checkout.top(), &BTreeMap::new());
        ran.command.clone_from(&step.command);
        let ran = ran.ended(step.status());
        assert!(
            step.printed(&ran.printed),
            "the README shows something else:\n{}\n{ran}",
            step.printed.join("\n")
        );
    }
}

#[test]
fn the_page_over_all_examples_is_short_and_names_what_is_there() -> super::Outcome {
    let page = std::fs::read_to_string(examples().join("README.md"))?;
    assert!(page.lines().count() <= 40, "{page}");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ["));
    let folders: Vec<&str> = rows
        .filter_map(|row| Some(row.split_once(']')?.0))
        .collect();
    assert!(folders.len() >= 6, "{folders:?}");
    for name in folders {
        let link = format!("[{name}]({name}/)");
        assert!(page.contains(&link), "{name}");
        assert!(examples().join(name).is_dir(), "{name} is not there");
    }
    Ok(())
}

#[test]
fn commands_and_what_they_print_are_told_apart() {
    let page = "x\n```console\n$ a \\\n  b\none\n$ c  # exit status 2\n```\n$ not this\n```sh\n$ nor this\n```\n";
    let step = |command: &str, printed: &[&str]| Step {
        command: command.to_owned(),
        printed: printed.iter().map(ToString::to_string).collect(),
    };
    let found = steps(page);
    assert_eq!(
        found,
        [step("a \\\n  b", &["one"]), step("c  # exit status 2", &[])]
    );
    assert_eq!([found[0].status(), found[1].status()], [0, 2]);
}

#[test]
fn an_ellipsis_stands_for_words_or_lines_and_for_nothing_else() {
    let step = |printed: &[&str]| Step {
        command: String::new(),
        printed: printed.iter().map(ToString::to_string).collect(),
    };
    let text = "one two three\nfour\nfive\n";
    for (printed, good) in [
        (&["one … three", "…", "five"][..], true),
        (&["…"], true),
        (&["one two three", "four", "five", "…"], true),
        (&["one … four", "…"], false),
        (&["one two three", "four"], false),
        (&[], true),
    ] {
        assert_eq!(step(printed).printed(text), good, "{printed:?}");
    }
}
