//! A query to Prometheus.
//!
//! Protocol: `GET <address>/api/v1/query?query=…` answers `{"status":"success","data":{"resultType":…,"result":…}}`; a
//! value is `[<time>, "<number>"]` (Prometheus documentation, HTTP API, instant queries).

use http::Method;
use penstock_domain::canary::{CheckVerdict, NumberCondition};
use serde_json::Value;
use url::form_urlencoded::Serializer as Query;

use super::unknown;
use super::web::{Answer, Question};

pub(super) fn question(address: &str, query: &str) -> Question {
    let query = Query::new(String::new())
        .append_pair("query", query)
        .finish();
    let address = address.trim_end_matches('/');
    Question::new(Method::GET, &format!("{address}/api/v1/query?{query}"))
}

pub(super) fn judge(
    answer: Result<Answer, CheckVerdict>,
    condition: &NumberCondition,
) -> CheckVerdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(verdict) => return verdict,
    };
    let host = &answer.host;
    match answer.status.as_u16() {
        200 => {}
        status @ (401 | 403) => {
            return unknown(format!(
                "{host} does not let Penstock ask ({status}): set `authorization` to a Secret and key that hold \
                 the whole header"
            ));
        }
        status @ (400 | 422) => {
            return unknown(format!(
                "{host} cannot run the query ({status}): try it in Prometheus"
            ));
        }
        404 => {
            return unknown(format!(
                "{host} has no Prometheus there (404): `address` is what stands before `/api/v1`"
            ));
        }
        status => return unknown(format!("{host} answered {status}")),
    }
    let Some(numbers) = numbers(&answer.body) else {
        return unknown(format!(
            "{host} answered something that is not of Prometheus"
        ));
    };
    match condition.holds(&numbers) {
        None => unknown("the query has no result"),
        Some(true) => CheckVerdict::Passed,
        Some(false) => {
            CheckVerdict::Failed("the numbers of the query are not as they must be".to_owned())
        }
    }
}

/// The numbers of an answer. Prometheus writes `NaN` where nothing was to be counted (0/0): that is no number.
fn numbers(body: &[u8]) -> Option<Vec<f64>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    if answer["status"] != "success" {
        return None;
    }
    let result = answer.pointer("/data/result")?;
    let numbers = match answer.pointer("/data/resultType")?.as_str()? {
        "scalar" => vec![number(result)?],
        "vector" => {
            let series = result.as_array()?.iter();
            series
                .map(|one| number(&one["value"]))
                .collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(
        numbers
            .into_iter()
            .filter(|number: &f64| !number.is_nan())
            .collect(),
    )
}

fn number(sample: &Value) -> Option<f64> {
    sample.get(1)?.as_str()?.parse().ok()
}
