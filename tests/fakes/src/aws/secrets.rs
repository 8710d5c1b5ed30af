//! AWS Secrets Manager.

use serde_json::{Map, Value, json};

use super::failures::Failure;
use super::model::{Model, Secret, SecretVersion};

const MAX_VALUE: usize = 65_536;

pub(super) fn call(model: &mut Model, action: &str, input: &Value) -> Result<Value, Failure> {
    match action {
        "GetSecretValue" => get(model, input),
        "BatchGetSecretValue" => batch(model, input),
        "ListSecrets" => list(model, input),
        "DescribeSecret" => describe(model, input),
        "CreateSecret" => create(model, input),
        "PutSecretValue" => put(model, input),
        "DeleteSecret" => delete(model, input),
        _ => Err(Failure::new("UnknownOperationException")),
    }
}

fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input.get(member).and_then(Value::as_str)
}

fn wrong() -> Failure {
    Failure::new("InvalidParameterException")
}

fn missing() -> Failure {
    Failure::new("ResourceNotFoundException")
}

/// The secret of this name or ARN.
fn find(model: &Model, id: &str) -> Result<String, Failure> {
    let same = |(name, secret): &(&String, &Secret)| *name == id || model.arn(name, secret) == id;
    let found = model.secrets.iter().find(same);
    found.map(|(name, _)| name.clone()).ok_or_else(missing)
}

fn get(model: &Model, input: &Value) -> Result<Value, Failure> {
    let id = text(input, "SecretId").ok_or_else(wrong)?;
    let named = find(model, id).unwrap_or_else(|_| id.to_owned());
    model.permit("secretsmanager:GetSecretValue", &named)?;
    let name = find(model, id)?;
    value(
        model,
        &name,
        (text(input, "VersionId"), text(input, "VersionStage")),
    )
}

fn value(
    model: &Model,
    name: &str,
    (id, stage): (Option<&str>, Option<&str>),
) -> Result<Value, Failure> {
    let secret = model.secrets.get(name).ok_or_else(missing)?;
    if secret.deleted {
        return Err(Failure::new("InvalidRequestException"));
    }
    let wanted = |(known, version): &(&String, &SecretVersion)| {
        let stage = stage.or(id.is_none().then_some("AWSCURRENT"));
        id.is_none_or(|id| *known == id) && stage.is_none_or(|stage| version.stages.contains(stage))
    };
    let (id, version) = secret.versions.iter().find(wanted).ok_or_else(missing)?;
    let mut answer = json!({
        "ARN": model.arn(name, secret), "Name": name, "VersionId": id,
        "VersionStages": version.stages, "CreatedDate": 1_767_225_600.123,
    });
    if let Some(text) = &version.text {
        answer["SecretString"] = json!(text);
    }
    if let Some(binary) = &version.binary {
        answer["SecretBinary"] = json!(binary);
    }
    Ok(answer)
}

fn batch(model: &Model, input: &Value) -> Result<Value, Failure> {
    model.permit("secretsmanager:BatchGetSecretValue", "")?;
    let ids: Vec<&str> = match (input.get("SecretIdList"), input.get("Filters")) {
        (Some(Value::Array(ids)), None) => ids.iter().filter_map(Value::as_str).collect(),
        _ => return Err(wrong()),
    };
    if ids.is_empty() || ids.len() > 20 || input.get("MaxResults").is_some() {
        return Err(wrong());
    }
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    let most = model.behaviour.batch.unwrap_or(usize::MAX);
    for id in ids.into_iter().take(most) {
        if model.behaviour.batch_gaps.contains(id) {
            continue;
        }
        let told = model.behaviour.batch_errors.get(id).cloned();
        let answer = match told {
            Some(code) => Err(code),
            None => match find(model, id) {
                Err(_) => Err("ResourceNotFoundException".to_owned()),
                Ok(name) => match model.permit("secretsmanager:GetSecretValue", &name) {
                    Err(_) => Err("AccessDeniedException".to_owned()),
                    Ok(()) => value(model, &name, (None, None))
                        .map_err(|_| "ResourceNotFoundException".to_owned()),
                },
            },
        };
        match answer {
            Ok(value) => values.push(value),
            Err(code) => errors.push(json!({
                "SecretId": id, "ErrorCode": code, "Message": "The message of the service.",
            })),
        }
    }
    Ok(json!({"SecretValues": values, "Errors": errors}))
}

fn list(model: &Model, input: &Value) -> Result<Value, Failure> {
    model.permit("secretsmanager:ListSecrets", "")?;
    let most = input.get("MaxResults").map_or(Some(100), Value::as_u64);
    let most = most
        .filter(|most| (1..=100).contains(most))
        .ok_or_else(wrong)?;
    let most = usize::try_from(most).unwrap_or(100);
    let filters = input.get("Filters").and_then(Value::as_array);
    let filters = filters.map(Vec::as_slice).unwrap_or_default();
    let planned = input.get("IncludePlannedDeletion") == Some(&json!(true));
    let mut found = Vec::new();
    for (name, secret) in &model.secrets {
        let mut all = planned || !secret.deleted;
        for filter in filters {
            all &= matches(name, secret, filter)?;
        }
        if all {
            found.push((name, secret));
        }
    }
    let (start, quiet) = match text(input, "NextToken") {
        None => (0, false),
        Some(token) => {
            let (number, kind) = token.split_once('-').ok_or_else(wrong)?;
            (number.parse().map_err(|_| wrong())?, kind == "empty")
        }
    };
    if quiet {
        return Ok(json!({"SecretList": [], "NextToken": format!("{start}-full")}));
    }
    let page: Vec<Value> = found
        .iter()
        .skip(start)
        .take(most)
        .map(|(name, secret)| listed(model, name, secret))
        .collect();
    let mut answer = json!({"SecretList": page});
    if start + most < found.len() {
        let kind = if model.behaviour.empty_pages {
            "empty"
        } else {
            "full"
        };
        answer["NextToken"] = json!(format!("{}-{kind}", start + most));
    }
    Ok(answer)
}

/// Any of the values will do; names by their beginning.
fn matches(name: &str, secret: &Secret, filter: &Value) -> Result<bool, Failure> {
    let values = filter
        .get("Values")
        .and_then(Value::as_array)
        .ok_or_else(wrong)?;
    let mut values = values.iter().filter_map(Value::as_str);
    Ok(match text(filter, "Key") {
        Some("name") => values.any(|value| name.starts_with(value)),
        Some("tag-key") => values.any(|value| secret.tags.keys().any(|key| key.starts_with(value))),
        Some("tag-value") => {
            values.any(|value| secret.tags.values().any(|known| known.starts_with(value)))
        }
        _ => return Err(wrong()),
    })
}

fn listed(model: &Model, name: &str, secret: &Secret) -> Value {
    let tags: Vec<Value> = secret
        .tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let stages: Map<String, Value> = secret
        .versions
        .iter()
        .filter(|(_, version)| !version.stages.is_empty())
        .map(|(id, version)| (id.clone(), json!(version.stages)))
        .collect();
    let mut listed = json!({
        "ARN": model.arn(name, secret), "Name": name, "Tags": tags,
        "SecretVersionsToStages": stages, "LastChangedDate": 1_767_225_600.5,
    });
    if secret.deleted {
        listed["DeletedDate"] = json!(1_767_225_600.5);
    }
    listed
}

fn describe(model: &Model, input: &Value) -> Result<Value, Failure> {
    let name = find(model, text(input, "SecretId").ok_or_else(wrong)?)?;
    model.permit("secretsmanager:DescribeSecret", &name)?;
    let secret = model.secrets.get(&name).ok_or_else(missing)?;
    let mut described = listed(model, &name, secret);
    described["VersionIdsToStages"] = described["SecretVersionsToStages"].take();
    Ok(described)
}

/// Text or bytes, of 1 to 65,536 bytes.
fn given(input: &Value) -> Result<SecretVersion, Failure> {
    let (given, binary) = (text(input, "SecretString"), text(input, "SecretBinary"));
    let length = match (given, binary) {
        (Some(text), None) => text.len(),
        (None, Some(encoded)) => encoded.trim_end_matches('=').len() * 3 / 4,
        _ => return Err(wrong()),
    };
    if !(1..=MAX_VALUE).contains(&length) {
        return Err(wrong());
    }
    Ok(SecretVersion {
        text: given.map(str::to_owned),
        binary: binary.map(str::to_owned),
        ..SecretVersion::default()
    })
}

/// The token of the request becomes the id of the version.
fn token(input: &Value) -> Result<String, Failure> {
    let token = text(input, "ClientRequestToken").ok_or_else(wrong)?;
    if (32..=64).contains(&token.len()) {
        Ok(token.to_owned())
    } else {
        Err(wrong())
    }
}

fn create(model: &mut Model, input: &Value) -> Result<Value, Failure> {
    let name = text(input, "Name").ok_or_else(wrong)?.to_owned();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    if name.is_empty() || name.len() > 512 || !name.bytes().all(sound) {
        return Err(wrong());
    }
    match model.secrets.get(&name) {
        Some(secret) if secret.deleted => return Err(Failure::new("InvalidRequestException")),
        Some(_) => return Err(Failure::new("ResourceExistsException")),
        None => {}
    }
    let (version, id) = (given(input)?, token(input)?);
    model.made += 1;
    let mut secret = Secret {
        suffix: format!("{:06}", model.made),
        ..Secret::default()
    };
    for tag in input
        .get("Tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let (key, value) = (text(tag, "Key"), text(tag, "Value"));
        let (Some(key), Some(value)) = (key, value) else {
            return Err(wrong());
        };
        secret.tags.insert(key.to_owned(), value.to_owned());
    }
    secret.push(id.clone(), version);
    let arn = model.arn(&name, &secret);
    model.secrets.insert(name.clone(), secret);
    Ok(json!({"ARN": arn, "Name": name, "VersionId": id}))
}

fn put(model: &mut Model, input: &Value) -> Result<Value, Failure> {
    let name = find(model, text(input, "SecretId").ok_or_else(wrong)?)?;
    model.permit("secretsmanager:PutSecretValue", &name)?;
    let (version, id) = (given(input)?, token(input)?);
    let secret = model.secrets.get_mut(&name).ok_or_else(missing)?;
    if secret.deleted {
        return Err(Failure::new("InvalidRequestException"));
    }
    match secret.versions.get(&id) {
        Some(known) if (&known.text, &known.binary) != (&version.text, &version.binary) => {
            return Err(Failure::new("ResourceExistsException"));
        }
        Some(_) => {}
        None => secret.push(id.clone(), version),
    }
    Ok(json!({"Name": name, "VersionId": id, "VersionStages": ["AWSCURRENT"]}))
}

fn delete(model: &mut Model, input: &Value) -> Result<Value, Failure> {
    let name = find(model, text(input, "SecretId").ok_or_else(wrong)?)?;
    let days = input.get("RecoveryWindowInDays").and_then(Value::as_u64);
    let force = input.get("ForceDeleteWithoutRecovery") == Some(&json!(true));
    match (days, force) {
        (Some(_), true) => return Err(wrong()),
        (Some(days), _) if !(7..=30).contains(&days) => return Err(wrong()),
        (_, true) => {
            model.secrets.remove(&name);
        }
        _ => {
            if let Some(secret) = model.secrets.get_mut(&name) {
                secret.deleted = true;
            }
        }
    }
    Ok(json!({"Name": name, "DeletionDate": 1_769_817_600.0}))
}
