//! What an answer says about a revision. Pure.

use penstock_domain::canary::CheckVerdict;

use super::unknown;
use super::web::Answer;

/// By what an answer is judged.
pub(super) enum Judgement<'a> {
    /// The canary's own pod: 200 to 399, as for a probe, and what counts as well. Its own failures are the revision's.
    Pod(&'a [u16]),
    /// A system that was asked for a verdict: 200 to 299 is a yes, 400 to 499 but 429 a no.
    Webhook,
    /// An address: 200 to 299, and what counts as well.
    Url(&'a [u16]),
}

pub(super) fn judge(
    answer: Result<Answer, CheckVerdict>,
    judgement: &Judgement<'_>,
) -> CheckVerdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(verdict) => return verdict,
    };
    let (status, host) = (answer.status.as_u16(), &answer.host);
    let said = format!("{host} answered {status}");
    let (good, bad) = match judgement {
        Judgement::Pod(more) => (
            (200..400).contains(&status) || more.contains(&status),
            status != 429,
        ),
        Judgement::Webhook => (
            (200..300).contains(&status),
            (400..500).contains(&status) && status != 429,
        ),
        Judgement::Url(more) => (
            (200..300).contains(&status) || more.contains(&status),
            // Who may ask, and how often, is no matter of the revision.
            (400..500).contains(&status) && ![401, 403, 407, 408, 425, 429].contains(&status),
        ),
    };
    if good {
        CheckVerdict::Passed
    } else if bad {
        CheckVerdict::Failed(said)
    } else if (300..400).contains(&status) {
        unknown(format!(
            "{said}: it redirects; name the address that answers itself"
        ))
    } else {
        unknown(said)
    }
}
