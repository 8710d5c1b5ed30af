//! What is said when something is wrong: where, why, and the way out.

use insta::assert_snapshot;

use super::stage::{Stage, literals, marker};

#[test]
fn a_typo_is_pointed_at() {
    let stage = Stage::new();
    let sync = literals(&[("A", &marker("a"))], "")
        .replace("  targets:", "  conflict: firstWins\n  targets:");
    stage.file("deploy/app.yaml", &sync);
    assert_snapshot!(stage.penstock("plan -f deploy").ended(1));
}

#[test]
fn every_problem_of_admission_is_pointed_at() {
    let stage = Stage::new();
    let sync = literals(
        &[("A", &marker("a"))],
        "  interval: 1s\n  validate: [{name: v, key: A, matching: x}]\n",
    )
    .replace(
        "file: {path: app.env}",
        "file: {path: app.env}, select: {matching: '('}",
    );
    stage.file("app.yaml", &sync);
    assert_snapshot!(stage.penstock("plan -f app.yaml").ended(1));
}

#[test]
fn a_store_that_nobody_describes_is_named_with_its_neighbour() {
    let stage = Stage::new();
    let sync = literals(&[], "").replace("literal: {}", "store: {name: valt}, path: x");
    let store = "---\napiVersion: penstock.dev/v1alpha1\nkind: SecretStore\nmetadata: {name: vault}\nspec: {provider: {vault: {address: 'https://x.example.com', auth: {token: {secretRef: {name: v, key: t}}}}}}\n";
    stage.file("app.yaml", &format!("{sync}{store}"));
    assert_snapshot!(stage.penstock("plan -f app.yaml").ended(1));
    let sync = sync.replace("valt", "vault");
    stage.file("app.yaml", &format!("{sync}{store}"));
    assert_snapshot!(
        "credential_missing",
        stage.penstock("plan -f app.yaml -q").ended(1)
    );
    let run = stage
        .penstock("plan -f app.yaml -q --credential v/t=env:NO_SUCH")
        .ended(1);
    assert_snapshot!("variable_missing", run);
}

#[test]
fn wrong_arguments_end_with_a_status_of_their_own() {
    let stage = Stage::new();
    for words in [
        "plan",
        "plan -f x --output xml",
        "plan -f x --set tenant",
        "sync -f x --record",
        "exec -f x",
        "nonsense",
    ] {
        let run = stage.penstock(words).ended(64);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{run}");
    }
    assert_snapshot!(stage.penstock("plan -f missing.yaml").ended(1));
    stage.file("app.yaml", &literals(&[("A", "x")], ""));
    let mistake = format!("plan -f app.yaml --credential v/t={}", marker("by-mistake"));
    assert_snapshot!(
        "value_as_argument",
        stage
            .penstock(&mistake.replace("plan", "plan --quiet"))
            .hiding(&marker("by-mistake"))
    );
}

#[test]
fn every_verb_has_an_example_and_says_how_it_ends() {
    let stage = Stage::new();
    for verb in ["plan", "sync", "exec", "env", "render"] {
        let help = stage.penstock(&format!("{verb} --help")).ended(0);
        assert!(help.stdout.contains("Examples:"), "{help}");
        assert!(help.stdout.contains("xit status"), "{help}");
    }
}
