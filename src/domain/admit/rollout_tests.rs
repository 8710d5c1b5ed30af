//! What a spec may say about rollouts, and what each mistake is told as.

use super::tests::{admitted, problems, with};
use crate::canary::{CanaryMode, Comparison, NumberCondition};
use crate::sync::{Previous, WaveMembers};

#[test]
fn a_whole_rollout_is_read() {
    let sync = admitted(&with(
        "  rollout:
    strategy: {canary: {mode: pod, soak: 3m, checks: [{name: up, http: {port: 8080, path: /healthz}}]}}
    waves: [{name: edge, selector: {matchLabels: {tier: edge}}, maxParallel: 2, pause: 1m}]
    onFailure: hold
    previous: {validFor: 1h}",
    ));
    let rollout = &sync.rollout;
    let canary = rollout.canary.as_ref().unwrap();
    assert!(matches!(
        canary.mode,
        CanaryMode::Pod { workload: None, .. }
    ));
    assert_eq!((canary.soak.as_secs(), canary.checks.len()), (180, 1));
    let names: Vec<&str> = rollout
        .waves
        .iter()
        .map(|wave| wave.name.as_str())
        .collect();
    assert_eq!(names, ["edge", "rest"], "whoever no wave names comes last");
    assert_eq!(
        rollout.previous,
        Previous::ValidFor(std::time::Duration::from_hours(1))
    );
}

#[test]
fn a_canary_of_ones_own_workload_is_the_first_wave() {
    let sync = admitted(&with(
        "  rollout: {strategy: {canary: {mode: workload, workload: {kind: Deployment, name: api}, soak: 3m}}}",
    ));
    let waves = &sync.rollout.waves;
    assert!(matches!(&waves[0].members, WaveMembers::One(_, name) if name.as_str() == "api"));
    assert_eq!((waves[0].pause.as_secs(), waves.len()), (180, 2));
}

const BAD: &[(&str, &str)] = &[
    (
        "waves: [{name: a, rest: {}}, {name: b, rest: {}}]",
        "waves[0].rest: takes all that is left, and other waves follow",
    ),
    (
        "waves: [{name: a, selector: {}}]",
        "waves[0].selector: is empty and would match every workload of the namespace",
    ),
    (
        "{waves: [{name: a, rest: {}}], strategy: {none: {}}}",
        "waves: are restarts, and `strategy: {none: {}}` restarts nothing",
    ),
    (
        "windows: [{schedule: \"0 9 * *\", duration: 1h}]",
        "windows[0].schedule: has not the five fields of cron: minute, hour, day of month, month, day of week",
    ),
    (
        "windows: [{schedule: \"0 25 * * *\", duration: 1h}]",
        "windows[0].schedule: `0 25 * * *` is no expression of cron",
    ),
    (
        "windows: [{schedule: \"0 9 * * *\", duration: 1h, timeZone: Mars/Base}]",
        "windows[0].timeZone: `Mars/Base` is no time zone",
    ),
    (
        "strategy: {canary: {mode: job}}",
        "strategy.canary.cronJob: mode job runs an existing CronJob: name it",
    ),
    (
        "strategy: {canary: {mode: pod, checks: [{name: p, prometheus: {address: \"https://p\", query: up, successCondition: \"true\"}}]}}",
        "strategy.canary.checks[0].prometheus.successCondition: is not a condition that this version can judge",
    ),
    (
        "strategy: {canary: {mode: pod, checks: [{name: w, webhook: {url: \"ftp://x\"}}]}}",
        "strategy.canary.checks[0].webhook.url: is no address of the web",
    ),
    (
        "{previous: {validFor: 1m}}",
        "previous.validFor: is shorter than the 600s that canary and deadline may take",
    ),
    (
        "{previous: {validFor: 1h}, approval: required}",
        "previous.validFor: ends while a change waits for a window or an approval",
    ),
];

#[test]
fn mistakes_in_a_rollout_are_told_by_field() {
    for (written, expected) in BAD {
        let braces = written.starts_with('{');
        let written = if braces {
            (*written).to_owned()
        } else {
            format!("{{{written}}}")
        };
        let told = problems(&with(&format!("  rollout: {written}")));
        let expected = format!("InvalidSpec spec.rollout.{expected}");
        assert_eq!(told, [expected], "{written}");
    }
}

#[test]
fn conditions_about_numbers_are_read_and_judged() {
    let read = |text| NumberCondition::parse(text);
    let below = read("result.all(x, x < 0.05)").unwrap();
    assert_eq!((below.all, below.comparison), (true, Comparison::Less));
    assert_eq!(below.holds(&[0.01, 0.02]), Some(true));
    assert_eq!(below.holds(&[0.01, 0.2]), Some(false));
    assert_eq!(below.holds(&[]), None, "no number says nothing");
    let some = read(" result.exists( r , r >= -1e3 ) ").unwrap();
    assert_eq!(some.holds(&[-2000.0, 5.0]), Some(true));
    for bad in [
        "",
        "true",
        "result.all(x, y < 1)",
        "result.all(x, x < )",
        "result.all(x, x < NaN)",
        "result.map(x, x < 1)",
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
}
