//! What is taken, what is refused, and how it is said.

use std::time::Duration;

use clap::error::ErrorKind;

use super::*;

fn given(arguments: &[&str]) -> Result<Command, clap::Error> {
    parse(["penstock"].iter().chain(arguments).map(Into::into))
}

fn run(arguments: &[&str]) -> RunArguments {
    let all: Vec<&str> = ["run"].iter().chain(arguments).copied().collect();
    match given(&all) {
        Ok(Command::Run(run)) => *run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_holds_no_contradiction() {
    definition().debug_assert();
}

#[test]
fn without_flags_the_operator_serves_its_own_namespace() {
    let run = run(&[]);
    assert!(run.scope.namespaces.is_empty() && !run.scope.all_namespaces);
    assert!(run.scope.cluster_stores && run.election.leader_election);
    assert!(!run.scope.cluster_syncs);
    assert!(!run.canaries);
    assert_eq!(run.election.lease_duration, Duration::from_secs(15));
    assert_eq!(run.observability.listen.port(), 8080);
    assert!(run.egress_allow.is_empty());
}

#[test]
fn lists_are_separated_by_commas() {
    let run = run(&[
        "--namespaces",
        "prod,dev",
        "--egress-allow",
        "10.0.0.0/8,fd00::/8,127.0.0.1",
    ]);
    let names: Vec<_> = run
        .scope
        .namespaces
        .iter()
        .map(penstock_domain::names::NamespaceName::as_str)
        .collect();
    assert_eq!(names, ["prod", "dev"]);
    let ranges: Vec<_> = run.egress_allow.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]);
}

#[test]
fn nonsense_is_refused_before_anything_starts() {
    for arguments in [
        &["run", "--namespaces", "Prod"][..],
        &["run", "--namespaces", "a", "--all-namespaces"],
        &["run", "--egress-allow", "10.0.0.0/33"],
        &["run", "--egress-allow", "everything"],
        &["run", "--concurrency", "0"],
        &["run", "--lease-duration", "soon"],
        &["run", "--listen", "8080"],
        &["run", "--log", "penstock=loud"],
        &["run", "--log-format", "xml"],
        &["start"],
    ] {
        let refusal = given(arguments).unwrap_err();
        assert!(refusal.use_stderr(), "{arguments:?}");
    }
    assert_eq!(
        given(&["--help"]).unwrap_err().kind(),
        ErrorKind::DisplayHelp
    );
}

#[test]
fn as_a_plugin_of_kubectl_it_speaks_of_itself_as_one() {
    let help = |name: &str| {
        let words = [name, "plan", "--help"].map(OsString::from);
        parse(words).unwrap_err().to_string()
    };
    assert!(help("/usr/local/bin/kubectl-penstock").contains("Usage: kubectl penstock plan"));
    assert!(help("penstock").contains("Usage: penstock plan"));
}

#[test]
fn every_flag_of_every_verb_is_explained() {
    for verb in definition().get_subcommands() {
        for flag in verb.get_arguments().filter(|flag| flag.get_id() != "help") {
            assert!(
                flag.get_help().is_some(),
                "{} {}",
                verb.get_name(),
                flag.get_id()
            );
        }
    }
}

#[test]
fn references_to_credentials_are_read_and_values_are_not_repeated() {
    let read = |text: &str| match given(&["plan", "-f", "x", "--credential", text]) {
        Ok(Command::Plan(plan)) => plan.inputs.reach.credentials[0].0.clone(),
        other => panic!("{other:?}"),
    };
    for good in [
        "vault/token=env:VAULT_TOKEN",
        "prod/vault/token=fd:3",
        "fly/token=store:bitwarden/infra/fly#token",
        "fly/token=clusterstore:bitwarden/fly",
    ] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in [
        "token=env:X",
        "vault/token=hunter2",
        "vault/token=env:",
        "vault/token=fd:hunter2",
        "a/b/c/d=env:X",
        "vault/hunter2",
    ] {
        let message = read(bad).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn every_flag_is_explained_and_has_a_variable() {
    let command = definition();
    let run = command.find_subcommand("run").unwrap();
    for flag in run.get_arguments().filter(|flag| flag.get_id() != "help") {
        assert!(flag.get_help().is_some(), "{} has no help", flag.get_id());
        let variable = flag
            .get_env()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        assert!(
            variable.starts_with("PENSTOCK_"),
            "{} has no variable",
            flag.get_id()
        );
    }
}

/// The verbs, each with its help as `--help` prints it.
fn reference() -> Vec<(String, String)> {
    let mut all = definition().term_width(100);
    all.build();
    let verbs = all
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help");
    verbs
        .map(|verb| {
            let name = verb.get_name().to_owned();
            let help = verb.clone().term_width(100).render_long_help();
            (name, help.to_string())
        })
        .collect()
}

#[test]
fn every_verb_shows_an_example_and_tells_how_it_may_end() {
    for (name, help) in reference() {
        let example = format!("\n  penstock {name}");
        let piped = format!("| penstock {name}");
        assert!(
            help.contains(&example) || help.contains(&piped),
            "{name}: {help}"
        );
        assert!(help.contains("Exit status:"), "{name}: {help}");
        assert!(
            help.contains("64 the") || help.contains("64 the\narguments"),
            "{name}: {help}"
        );
    }
}

#[test]
fn the_reference_of_all_verbs_is_what_was_looked_at() {
    let all: Vec<String> = reference()
        .into_iter()
        .map(|(name, help)| format!("# penstock {name}\n\n{}\n", help.trim_end()))
        .collect();
    insta::assert_snapshot!("reference", all.join("\n"));
}
