//! One profile of a credentials file, as the AWS command line keeps it.
//!
//! The text is somebody else's, so only keys that stand in the profile itself are taken from it. A profile that
//! would have us run a command, open a file, ask an address or follow another profile is refused as a whole, and
//! so is one with a setting that is not known.

use penstock_domain::secret::SecretValue;

use super::keys::Keys;

/// The largest file.
const MAX_BYTES: usize = 256 * 1024;
/// Settings that say how the AWS command line behaves, and mean nothing here.
const WITHOUT_MEANING: [&str; 8] = [
    "region",
    "output",
    "cli_pager",
    "cli_timestamp_format",
    "cli_auto_prompt",
    "max_attempts",
    "retry_mode",
    "sts_regional_endpoints",
];

/// Why a profile gives no keys. Only the names of settings are in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadProfile {
    #[error("is no text of at most {MAX_BYTES} bytes")]
    NoText,
    #[error("line {line} is neither `[profile]` nor `setting = value`")]
    Line { line: usize },
    #[error("has no such profile")]
    NoProfile,
    #[error("has the setting {setting}, which leads out of the file: write the keys themselves")]
    LeadsOut { setting: String },
    #[error("has no aws_access_key_id or no aws_secret_access_key, or keys that are none")]
    NoKeys,
}

/// Reads the keys of one profile.
pub(super) fn read(file: &SecretValue, profile: &str) -> Result<Keys, ReadProfile> {
    let text = file
        .expose_text()
        .filter(|text| text.len() <= MAX_BYTES)
        .ok_or(ReadProfile::NoText)?;
    let (mut id, mut secret, mut token) = (None, None, None);
    let (mut inside, mut found) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = content.strip_prefix('[') {
            inside = section(name) == Some(profile);
            found |= inside;
            continue;
        }
        let (setting, value) = content
            .split_once('=')
            .ok_or(ReadProfile::Line { line: index + 1 })?;
        if !inside {
            continue;
        }
        let value = SecretValue::from(value.trim());
        // A line that is indented belongs to a group of settings, all of which lead out.
        match setting.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => id = Some(value),
            "aws_secret_access_key" => secret = Some(value),
            "aws_session_token" | "aws_security_token" => token = Some(value),
            known if WITHOUT_MEANING.contains(&known) => {}
            other => {
                let setting = other.chars().filter(char::is_ascii_graphic).take(64);
                return Err(ReadProfile::LeadsOut {
                    setting: setting.collect(),
                });
            }
        }
    }
    if !found {
        return Err(ReadProfile::NoProfile);
    }
    let (Some(id), Some(secret)) = (id, secret) else {
        return Err(ReadProfile::NoKeys);
    };
    Keys::new(&id, &secret, token.as_ref()).ok_or(ReadProfile::NoKeys)
}

/// The profile that `name]` begins: a configuration file has the word `profile` before it.
fn section(name: &str) -> Option<&str> {
    let name = name.split_once(']')?.0.trim();
    Some(match name.split_once(char::is_whitespace) {
        Some(("profile", name)) => name.trim(),
        _ => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s1/+=\n\n[profile dev]\nregion = eu-central-1\nAWS_ACCESS_KEY_ID=AKIA2\naws_secret_access_key = s2\naws_session_token = t2\n[bad]\ncredential_process = /bin/sh -c 'curl evil'\n[empty]\n";

    fn of(text: &str, profile: &str) -> Result<Keys, ReadProfile> {
        read(&SecretValue::from(text), profile)
    }

    #[test]
    fn the_keys_of_the_profile_are_read_and_of_no_other() {
        let default = of(FILE, "default").unwrap();
        assert_eq!(default.id, SecretValue::from("AKIA1"));
        assert_eq!(default.secret, SecretValue::from("s1/+="));
        let dev = of(FILE, "dev").unwrap();
        assert_eq!(dev.id, SecretValue::from("AKIA2"));
        assert_eq!(dev.session_token, Some(SecretValue::from("t2")));
        assert_eq!(of(FILE, "prod"), Err(ReadProfile::NoProfile));
        assert_eq!(of(FILE, "empty"), Err(ReadProfile::NoKeys));
        assert_eq!(of("hunter2", "default"), Err(ReadProfile::Line { line: 1 }));
    }

    #[test]
    fn whatever_leads_out_of_the_file_is_refused() {
        for setting in [
            "credential_process",
            "source_profile",
            "credential_source",
            "role_arn",
            "web_identity_token_file",
            "sso_session",
            "sso_start_url",
            "endpoint_url",
            "services",
            "ca_bundle",
            "mfa_serial",
            "s3",
            "login_session",
            "something_new",
        ] {
            let text = format!(
                "[default]\naws_access_key_id=A\naws_secret_access_key=s\n{setting} = hunter2\n"
            );
            let error = of(&text, "default").unwrap_err();
            assert!(matches!(&error, ReadProfile::LeadsOut { setting: told } if told == setting));
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(of(FILE, "bad").is_err());
    }
}
