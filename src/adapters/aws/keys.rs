//! What a request is signed with.

use penstock_domain::secret::SecretValue;

/// An access key, with its session token where it is a temporary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) id: SecretValue,
    pub(crate) secret: SecretValue,
    pub(crate) session_token: Option<SecretValue>,
}

impl Keys {
    /// Takes keys, unless one of them is empty or has a blank or a control character in it, as no key has.
    pub(crate) fn new(
        id: &SecretValue,
        secret: &SecretValue,
        session_token: Option<&SecretValue>,
    ) -> Option<Self> {
        let sound = |value: &SecretValue| {
            !value.is_empty() && value.expose().iter().all(u8::is_ascii_graphic)
        };
        let token_is_sound = session_token.is_none_or(sound);
        (sound(id) && sound(secret) && token_is_sound).then(|| Self {
            id: id.clone(),
            secret: secret.clone(),
            session_token: session_token.cloned(),
        })
    }

    /// All in one value, as a session keeps it.
    pub(super) fn packed(&self) -> SecretValue {
        let token = self
            .session_token
            .as_ref()
            .map_or(&b""[..], SecretValue::expose);
        SecretValue::new([self.id.expose(), self.secret.expose(), token].join(&b'\n'))
    }

    /// The reverse of [`Self::packed`].
    pub(super) fn unpacked(packed: &SecretValue) -> Option<Self> {
        let mut parts = packed.expose().splitn(3, |byte| *byte == b'\n');
        let mut part = || parts.next().map(SecretValue::new);
        let (id, secret, token) = (part()?, part()?, part()?);
        let token = (!token.is_empty()).then_some(token);
        Self::new(&id, &secret, token.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_as_they_went_in() {
        let value = SecretValue::from;
        for token in [None, Some(value("AQoD//w=="))] {
            let keys = Keys::new(&value("AKIA"), &value("a/b+c"), token.as_ref()).unwrap();
            assert_eq!(Keys::unpacked(&keys.packed()), Some(keys));
        }
        for (id, secret) in [("", "x"), ("x", ""), ("a b", "x"), ("x", "a\nb")] {
            assert_eq!(Keys::new(&value(id), &value(secret), None), None);
        }
    }
}
