//! The installation key: made once by the operator, never overwritten (design decision 7).

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::keys::{InstallationId, InstallationKey, KEY_LENGTH, hex};
use penstock_domain::names::{Key, NamespaceName};
use penstock_domain::reserved::INSTALLATION_KEY_NAME;
use penstock_domain::secret::SecretValue;
use serde_json::json;
use zeroize::Zeroizing;

use super::api_server::ApiServer;
use super::object::{Binary, Secret};
use super::request::{Address, Call, Resource};

/// The type of the Secret that holds the key.
const KEY_TYPE: &str = "penstock.dev/installation-key";
/// The field manager of that Secret.
const MANAGER: &str = "penstock-installation";
/// Where the key material lies in it.
const KEY: &str = "key";
/// Where the installation's id lies in it.
const ID: &str = "id";
/// Random bytes of an installation's id.
const ID_BYTES: usize = 8;

/// Reads the installation key of the operator's `namespace`, or makes it when there is none. Of several
/// replicas that find none, one makes it and the others read what that one made.
///
/// A Secret of that name which does not hold a key is a [`FaultClass::Invalid`] and stays untouched: with
/// another key, no record could be opened any more.
///
/// RBAC in the operator's namespace: `create` on `secrets`, `get` on the Secret
/// [`INSTALLATION_KEY_NAME`].
pub async fn load_or_create(
    api: &ApiServer,
    namespace: &NamespaceName,
) -> Result<InstallationKey, Fault> {
    if let Some(key) = load(api, namespace).await? {
        return Ok(key);
    }
    match create(api, namespace).await {
        // Another replica was faster.
        Err(fault) if fault.class == FaultClass::Conflict => {
            load(api, namespace).await?.ok_or(fault)
        }
        outcome => outcome,
    }
}

/// Reads the installation key of the operator's `namespace`; none when there is none.
///
/// RBAC in the operator's namespace: `get` on the Secret [`INSTALLATION_KEY_NAME`].
pub async fn load(
    api: &ApiServer,
    namespace: &NamespaceName,
) -> Result<Option<InstallationKey>, Fault> {
    let call = Call::get(Address {
        resource: Resource::Secret,
        namespace,
        name: INSTALLATION_KEY_NAME,
    });
    let found = api.find::<Secret>(&call).await;
    found
        .map_err(|failure| failure.fault(&subject()))?
        .map(|secret| read(&secret))
        .transpose()
}

async fn create(api: &ApiServer, namespace: &NamespaceName) -> Result<InstallationKey, Fault> {
    let mut secret = Zeroizing::new([0; KEY_LENGTH]);
    let mut id = [0; ID_BYTES];
    getrandom::fill(secret.as_mut_slice())
        .and_then(|()| getrandom::fill(&mut id))
        .map_err(|_| {
            Fault::new(
                FaultClass::Unavailable,
                subject(),
                "the operating system gives no random bytes",
            )
        })?;
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": INSTALLATION_KEY_NAME},
        "type": KEY_TYPE,
        "immutable": true,
        "data": {
            KEY: Binary(SecretValue::new(secret.as_slice())),
            ID: Binary(SecretValue::from(hex(&id).as_str())),
        },
    });
    let call = Call::create(Resource::Secret, namespace, MANAGER, &object);
    let made = api.call::<Secret>(&call).await;
    read(&made.map_err(|failure| failure.fault(&subject()))?)
}

/// Takes the key out of its Secret, or says what is wrong with it.
fn read(secret: &Secret) -> Result<InstallationKey, Fault> {
    let field = |name: &str| {
        Key::new(name)
            .ok()
            .and_then(|key| secret.data.get(&key))
            .map(|value| &value.0)
    };
    if secret.type_name != KEY_TYPE {
        return Err(malformed(format!("its type is not `{KEY_TYPE}`")));
    }
    let key = field(KEY)
        .and_then(|value| <[u8; KEY_LENGTH]>::try_from(value.expose()).ok())
        .ok_or_else(|| malformed(format!("`{KEY}` does not hold {KEY_LENGTH} bytes")))?;
    let id = field(ID)
        .and_then(SecretValue::expose_text)
        .and_then(InstallationId::new)
        .ok_or_else(|| malformed(format!("`{ID}` does not hold an installation's id")))?;
    Ok(InstallationKey::new(key, id))
}

fn subject() -> String {
    format!("Secret {INSTALLATION_KEY_NAME}")
}

fn malformed(what: String) -> Fault {
    Fault::new(FaultClass::Invalid, subject(), what).hint(
        "Restore it from a backup. Only if there is none, delete it: Penstock then makes a new key, keeps \
         every target as it is, and starts its records anew",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(kind: &str, data: &serde_json::Value) -> Secret {
        serde_json::from_value(json!({
            "metadata": {"name": INSTALLATION_KEY_NAME},
            "type": kind,
            "data": data,
        }))
        .unwrap()
    }

    #[test]
    fn a_good_secret_gives_its_key() {
        let key = Binary(SecretValue::new([7; KEY_LENGTH]));
        let id = Binary(SecretValue::from("0011223344556677"));
        let read = read(&secret(KEY_TYPE, &json!({KEY: key, ID: id}))).unwrap();
        assert_eq!(read.installation().as_str(), "0011223344556677");
    }

    #[test]
    fn a_malformed_secret_is_refused_and_the_message_names_the_field_not_the_bytes() {
        let key = || Binary(SecretValue::new([b'x'; KEY_LENGTH]));
        let short = || Binary(SecretValue::from("hunter2"));
        let id = || Binary(SecretValue::from("0011223344556677"));
        for (kind, data, named) in [
            ("Opaque", json!({KEY: key(), ID: id()}), "type"),
            (KEY_TYPE, json!({KEY: short(), ID: id()}), "`key`"),
            (KEY_TYPE, json!({ID: id()}), "`key`"),
            (KEY_TYPE, json!({KEY: key(), ID: short()}), "`id`"),
            (KEY_TYPE, json!({}), "`key`"),
        ] {
            let fault = read(&secret(kind, &data)).unwrap_err();
            assert_eq!(fault.class, FaultClass::Invalid);
            let told = format!("{fault} {fault:?}");
            assert!(told.contains(named) && !told.contains("hunter2"), "{told}");
        }
    }
}
