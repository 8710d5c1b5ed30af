//! `spec.provider.ssh`: files on a host, over SSH. The command line's alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::schema::{Filled, HostName, List};
use super::shared::SecretKeyRef;
use super::source::FileFormat;

/// One user on one host. Works in the CLI only; the operator refuses it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshProvider {
    /// Name or address of the host.
    #[schemars(with = "HostName")]
    pub host: String,
    /// Port of the SSH server. Absent: 22.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// User to log in as.
    #[schemars(with = "Filled<64>")]
    pub user: String,
    /// Public keys of which the host must show one, such as `ssh-ed25519 AAAA…`: what `ssh-keyscan` prints,
    /// without the name in front, once somebody compared it with the host's own. Ed25519 or ECDSA. No other key
    /// is ever accepted, not at the first contact either.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<1024>, 8>", length(min = 1))]
    pub host_keys: Vec<String>,
    /// Private key of the user, in OpenSSH form and without a passphrase. Ed25519 or ECDSA.
    pub private_key_ref: SecretKeyRef,
    /// Folder on the host that paths of sources and targets start in and must stay in, also after links are
    /// followed. Absent: the folder that the user lands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<1024>>")]
    pub folder: Option<String>,
}

/// Options of a target on a host: a file, at `path`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshTargetOptions {
    /// dotenv, json, yaml, export or dockerEnv (githubEnv is refused). Absent: by the file's name, else dotenv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<FileFormat>,
    /// true: keys and comments that are not ours stay in the file. Absent or false: a file with keys that
    /// are not ours is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<bool>,
}
