//! AWS Systems Manager Parameter Store.

use serde_json::{Value, json};

use super::failures::Failure;
use super::model::{ACCOUNT, Model, Parameter};

const MAX_STANDARD: usize = 4096;
const MAX_ADVANCED: usize = 8192;

pub(super) fn call(model: &mut Model, action: &str, input: &Value) -> Result<Value, Failure> {
    match action {
        "GetParameter" => get(model, input),
        "GetParametersByPath" => by_path(model, input),
        "PutParameter" => put(model, input),
        "LabelParameterVersion" => label(model, input),
        "DeleteParameter" => delete(model, input),
        _ => Err(Failure::new("UnknownOperationException")),
    }
}

fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input.get(member).and_then(Value::as_str)
}

fn wrong() -> Failure {
    Failure::new("ValidationException")
}

fn missing() -> Failure {
    Failure::new("ParameterNotFound")
}

fn decrypts(input: &Value) -> bool {
    input.get("WithDecryption") == Some(&json!(true))
}

fn shown(model: &Model, name: &str, index: usize, decrypt: bool) -> Result<Value, Failure> {
    let parameter = model.parameters.get(name).ok_or_else(missing)?;
    let version = parameter.versions.get(index).ok_or_else(missing)?;
    let secure = parameter.kind == "SecureString";
    if secure && decrypt {
        model.permit("kms:Decrypt", name)?;
    }
    let value = if secure && !decrypt {
        "AQICAHencrypted"
    } else {
        &version.value
    };
    let path = name.trim_start_matches('/');
    Ok(json!({
        "Name": name, "Type": parameter.kind, "Value": value, "Version": index + 1,
        "LastModifiedDate": 1_767_225_600.5, "DataType": "text",
        "ARN": format!("arn:aws:ssm:{}:{ACCOUNT}:parameter/{path}", model.region),
    }))
}

fn labelled(parameter: &Parameter, label: &str) -> Option<usize> {
    parameter
        .versions
        .iter()
        .position(|version| version.labels.contains(label))
}

fn get(model: &Model, input: &Value) -> Result<Value, Failure> {
    let selector = text(input, "Name").ok_or_else(wrong)?;
    let (name, version) = match selector.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (selector, None),
    };
    model.permit("ssm:GetParameter", name)?;
    let parameter = model.parameters.get(name).ok_or_else(missing)?;
    let gone = || Failure::new("ParameterVersionNotFound");
    let index = match version {
        None => parameter.versions.len().checked_sub(1),
        Some(version) => match version.parse::<usize>() {
            Ok(number) => number
                .checked_sub(1)
                .filter(|index| *index < parameter.versions.len()),
            Err(_) => labelled(parameter, version),
        },
    };
    let index = index.ok_or_else(gone)?;
    Ok(json!({"Parameter": shown(model, name, index, decrypts(input))?}))
}

fn by_path(model: &Model, input: &Value) -> Result<Value, Failure> {
    let path = text(input, "Path").ok_or_else(wrong)?;
    if !path.starts_with('/') {
        return Err(wrong());
    }
    model.permit("ssm:GetParametersByPath", path)?;
    let most = input.get("MaxResults").map_or(Some(10), Value::as_u64);
    let most = most
        .filter(|most| (1..=10).contains(most))
        .ok_or_else(wrong)?;
    let most = usize::try_from(most).unwrap_or(10);
    let recursive = input.get("Recursive") == Some(&json!(true));
    let label = wanted_label(input)?;
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let mut found = Vec::new();
    for (name, parameter) in &model.parameters {
        let rooted = format!("/{}", name.trim_start_matches('/'));
        let below = rooted.strip_prefix(&prefix);
        if !below.is_some_and(|below| recursive || !below.contains('/')) {
            continue;
        }
        let index = match label {
            None => parameter.versions.len().checked_sub(1),
            Some(label) => labelled(parameter, label),
        };
        found.extend(index.map(|index| (name, index)));
    }
    let (start, quiet) = match text(input, "NextToken") {
        None => (0, false),
        Some(token) => {
            let (number, kind) = token.split_once('-').ok_or_else(wrong)?;
            (number.parse().map_err(|_| wrong())?, kind == "empty")
        }
    };
    if quiet {
        return Ok(json!({"Parameters": [], "NextToken": format!("{start}-full")}));
    }
    let mut page = Vec::new();
    for (name, index) in found.iter().skip(start).take(most) {
        page.push(shown(model, name, *index, decrypts(input))?);
    }
    let mut answer = json!({"Parameters": page});
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

fn wanted_label(input: &Value) -> Result<Option<&str>, Failure> {
    let filters = input.get("ParameterFilters").and_then(Value::as_array);
    let Some(filter) = filters.and_then(|filters| filters.first()) else {
        return Ok(None);
    };
    let bad = || Failure::new("InvalidFilterKey");
    if text(filter, "Key") != Some("Label") || text(filter, "Option") != Some("Equals") {
        return Err(bad());
    }
    let value = filter.get("Values").and_then(|values| values.get(0));
    value.and_then(Value::as_str).map(Some).ok_or_else(bad)
}

fn put(model: &mut Model, input: &Value) -> Result<Value, Failure> {
    let name = text(input, "Name").ok_or_else(wrong)?.to_owned();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    let bare = name.trim_start_matches('/').to_ascii_lowercase();
    let reserved = bare.starts_with("aws") || bare.starts_with("ssm");
    if name.is_empty() || !name.bytes().all(sound) || reserved {
        return Err(wrong());
    }
    model.permit("ssm:PutParameter", &name)?;
    if name.contains('/') && !name.starts_with('/') {
        return Err(wrong());
    }
    if name.split('/').count() > 16 {
        return Err(Failure::new("HierarchyLevelLimitExceededException"));
    }
    let value = text(input, "Value").unwrap_or_default().to_owned();
    let advanced = text(input, "Tier").is_some_and(|tier| tier != "Standard");
    let most = if advanced { MAX_ADVANCED } else { MAX_STANDARD };
    if value.is_empty() || value.len() > most {
        return Err(wrong());
    }
    let overwrite = input.get("Overwrite") == Some(&json!(true));
    let known = model.parameters.get(&name);
    if known.is_some() && !overwrite {
        return Err(Failure::new("ParameterAlreadyExists"));
    }
    let kind = text(input, "Type").or(known.map(|known| known.kind.as_str()));
    let kind = kind.ok_or_else(wrong)?.to_owned();
    if !["String", "StringList", "SecureString"].contains(&kind.as_str()) {
        return Err(Failure::new("UnsupportedParameterType"));
    }
    model.put_parameter(&name, &kind, &value);
    let version = model
        .parameters
        .get(&name)
        .map_or(0, |parameter| parameter.versions.len());
    Ok(json!({"Version": version, "Tier": "Standard"}))
}

fn label(model: &mut Model, input: &Value) -> Result<Value, Failure> {
    let name = text(input, "Name").ok_or_else(wrong)?;
    let parameter = model.parameters.get_mut(name).ok_or_else(missing)?;
    let newest = parameter.versions.len();
    let number = input.get("ParameterVersion").and_then(Value::as_u64);
    let number = number.map_or(newest, |number| usize::try_from(number).unwrap_or(0));
    if number == 0 || number > newest {
        return Err(Failure::new("ParameterVersionNotFound"));
    }
    let labels = input
        .get("Labels")
        .and_then(Value::as_array)
        .ok_or_else(wrong)?;
    for label in labels.iter().filter_map(Value::as_str) {
        for (index, version) in parameter.versions.iter_mut().enumerate() {
            // A label is on one version at a time.
            version.labels.remove(label);
            if index + 1 == number {
                version.labels.insert(label.to_owned());
            }
        }
    }
    Ok(json!({"InvalidLabels": [], "ParameterVersion": number}))
}

fn delete(model: &mut Model, input: &Value) -> Result<Value, Failure> {
    let name = text(input, "Name").ok_or_else(wrong)?;
    model
        .parameters
        .remove(name)
        .map(|_| json!({}))
        .ok_or_else(missing)
}
