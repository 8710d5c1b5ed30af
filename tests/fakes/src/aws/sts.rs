//! The Security Token Service.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::failures::Failure;
use super::model::{Key, Model};
use super::signature;
use crate::server::{Reply, Request};

pub(super) fn answer(model: &mut Model, request: &Request, body: &[u8]) -> Reply {
    grant(model, request, body).unwrap_or_else(|failure| failure.xml())
}

fn grant(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Failure> {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let value = |name: &str| form.get(name).map(String::as_str);
    let denied = || Failure::new("AccessDeniedException");
    let wrong = || Failure::new("ValidationError");
    if value("Version") != Some("2011-06-15") {
        return Err(Failure::new("InvalidAction"));
    }
    let session = value("RoleSessionName").ok_or_else(wrong)?;
    if !(2..=64).contains(&session.len()) {
        return Err(wrong());
    }
    let arn = value("RoleArn").ok_or_else(wrong)?;
    let action = value("Action").unwrap_or_default().to_owned();
    let role = model.roles.get(arn).cloned();
    match action.as_str() {
        "AssumeRoleWithWebIdentity" => {
            let token = value("WebIdentityToken").ok_or_else(wrong)?;
            let role = role.ok_or_else(denied)?;
            if !role.tokens.contains(token) {
                return Err(Failure::new("InvalidIdentityToken"));
            }
        }
        "AssumeRole" => {
            let id = signature::verify(model, request, body, "sts")?;
            let role = role.ok_or_else(denied)?;
            let word = value("ExternalId").map(str::to_owned);
            if !role.keys.contains(&id) || role.external_id != word || role.tags != tags(&form) {
                return Err(denied());
            }
        }
        _ => return Err(Failure::new("InvalidAction")),
    }
    let seconds = match value("DurationSeconds").map(str::parse::<i64>) {
        None => 3600,
        Some(Ok(seconds)) if (900..=43200).contains(&seconds) => seconds,
        Some(_) => return Err(wrong()),
    };
    let seconds = model.behaviour.session_seconds.unwrap_or(seconds);
    Ok(answer_of(model, &action, seconds))
}

fn tags(form: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    (1..=50)
        .map_while(|number| {
            let member = |part: &str| form.get(&format!("Tags.member.{number}.{part}")).cloned();
            Some((member("Key")?, member("Value")?))
        })
        .collect()
}

fn answer_of(model: &mut Model, action: &str, seconds: i64) -> Reply {
    model.made += 1;
    let number = model.made;
    let ends = Timestamp::now() + SignedDuration::from_secs(seconds);
    let key = Key {
        secret: format!("session/secret+{number}"),
        session_token: Some(format!("session//token=={number}")),
        ends: Some(ends),
    };
    let id = format!("ASIA{number:016}");
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n <{action}Result>\n  <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\n </{action}Result>\n</{action}Response>",
        key.secret,
        key.session_token.as_deref().unwrap_or_default(),
        ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    );
    model.keys.insert(id, key);
    Reply::new(200, body).header("content-type", "text/xml")
}
