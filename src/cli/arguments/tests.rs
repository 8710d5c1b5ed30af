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
