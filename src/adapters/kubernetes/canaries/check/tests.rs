//! What is asked, and what an answer comes to.

use http::StatusCode;
use zeroize::Zeroizing;

use super::super::names::tests::{sync, trial};
use super::web::Answer;
use super::*;

#[expect(
    clippy::unnecessary_wraps,
    reason = "as the functions take it that judge"
)]
fn answer(status: u16, body: &str) -> Result<Answer, CheckVerdict> {
    Ok(Answer {
        status: StatusCode::from_u16(status).unwrap(),
        host: "there".to_owned(),
        body: Zeroizing::new(body.as_bytes().to_vec()),
    })
}

fn word(verdict: &CheckVerdict) -> &'static str {
    match verdict {
        CheckVerdict::Passed => "passed",
        CheckVerdict::Failed(_) => "failed",
        CheckVerdict::Inconclusive(_) => "unknown",
        CheckVerdict::Running => "running",
    }
}

#[test]
fn an_answer_is_judged_by_who_was_asked() {
    for (status, pod, webhook, url) in [
        (200, "passed", "passed", "passed"),
        (204, "passed", "passed", "passed"),
        (302, "passed", "unknown", "unknown"),
        (400, "failed", "failed", "failed"),
        (401, "failed", "failed", "unknown"),
        (403, "failed", "failed", "unknown"),
        (404, "failed", "failed", "failed"),
        (418, "passed", "failed", "passed"),
        (429, "unknown", "unknown", "unknown"),
        (500, "failed", "unknown", "unknown"),
        (503, "failed", "unknown", "unknown"),
    ] {
        let judged =
            |judgement: &Judgement<'_>| word(&answer::judge(answer(status, "hunter2"), judgement));
        assert_eq!(judged(&Judgement::Pod(&[418])), pod, "{status} of the pod");
        assert_eq!(
            judged(&Judgement::Webhook),
            webhook,
            "{status} of a webhook"
        );
        assert_eq!(
            judged(&Judgement::Url(&[418])),
            url,
            "{status} of an address"
        );
    }
}

fn prometheus(status: u16, body: &str) -> CheckVerdict {
    let condition = NumberCondition::parse("result.all(x, x < 0.05)").unwrap();
    prometheus::judge(answer(status, body), &condition)
}

fn vector(values: &[&str]) -> String {
    let series: Vec<_> = values
        .iter()
        .map(|value| json!({"metric": {"hunter2": "x"}, "value": [1_770_000_000.1, value]}))
        .collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string()
}

#[test]
fn the_numbers_of_a_query_decide() {
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0.01"]}}"#;
    for (body, expected) in [
        (vector(&["0.01", "0.04"]), "passed"),
        (vector(&["0.01", "0.06"]), "failed"),
        (vector(&["+Inf"]), "failed"),
        (vector(&["NaN", "0.01"]), "passed"),
        (vector(&["NaN"]), "unknown"),
        (vector(&[]), "unknown"),
        (vector(&["many"]), "unknown"),
        (scalar.to_owned(), "passed"),
        (
            r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned(),
            "unknown",
        ),
        (
            r#"{"status":"error","error":"hunter2"}"#.to_owned(),
            "unknown",
        ),
        ("<html>hunter2".to_owned(), "unknown"),
    ] {
        let verdict = prometheus(200, &body);
        assert_eq!(word(&verdict), expected, "{body}");
        assert!(!format!("{verdict:?}").contains("hunter2"));
    }
}

#[test]
fn a_prometheus_that_does_not_answer_never_rejects() {
    for (status, what_to_do) in [
        (401, "authorization"),
        (403, "authorization"),
        (400, "query"),
        (422, "query"),
        (404, "/api/v1"),
        (429, "429"),
        (503, "503"),
    ] {
        match prometheus(status, "hunter2") {
            CheckVerdict::Inconclusive(why) => {
                assert!(
                    why.contains(what_to_do) && !why.contains("hunter2"),
                    "{why}"
                );
            }
            verdict => panic!("{status}: {verdict:?}"),
        }
    }
}

#[test]
fn only_our_own_words_between_braces_are_replaced() {
    let (sync, trial) = (sync("shop"), trial("0011aabb-01"));
    let filling = Filling {
        sync: &sync,
        trial: &trial,
    };
    for (text, filled) in [
        (
            r#"up{namespace="{{ namespace }}", app="{{name}}"}"#,
            r#"up{namespace="prod", app="shop"}"#,
        ),
        ("{{ revision }}{{ revision }}", "0011aabb-010011aabb-01"),
        ("{{ value }} {{ other", "{{ value }} {{ other"),
        ("{{{{ name }}}}", "{{shop}}"),
        ("", ""),
    ] {
        assert_eq!(filling.fill(text), filled);
    }
    let body: Value = serde_json::from_str(&filling.json()).unwrap();
    assert_eq!(
        body,
        json!({"namespace": "prod", "name": "shop", "revision": "0011aabb-01"})
    );
}
