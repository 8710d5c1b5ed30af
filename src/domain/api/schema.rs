//! The vocabulary of bounds: schema-only types for `#[schemars(with = "…")]`, and the CEL rules that
//! several structs share.
//!
//! The fields themselves stay `String`, `Vec` and `BTreeMap`: a bound is the API server's business,
//! the domain's own newtypes check again. No marker is ever constructed.

use std::borrow::Cow;
use std::marker::PhantomData;

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// "Exactly one of these members": the rule of every one-of. `sentence` says what that means.
///
/// An explicit `null` counts as absent, because every member is nullable.
pub(super) fn exactly_one(members: &[&str], sentence: &str) -> Rule {
    Rule::new(format!("[{}].exists_one(x, x)", present(members)))
        .message(format!("{sentence}: set one of {}", members.join(", ")).as_str())
}

/// "At most one of these members".
pub(super) fn at_most_one(members: &[&str], sentence: &str) -> Rule {
    Rule::new(format!("[{}].filter(x, x).size() <= 1", present(members)))
        .message(format!("{sentence}: set only one of {}", members.join(", ")).as_str())
}

/// "At least this long". `sentence` says why.
///
/// What is no duration at all is left to the rule of [`super::shared::GoDuration`].
pub(super) fn at_least(minimum: &str, sentence: &str) -> Rule {
    Rule::new(format!(
        "!self.matches('{DURATION}') || duration(self) >= duration('{minimum}')"
    ))
    .message(format!("at least {minimum}: {sentence}").as_str())
}

/// "At most this long". `sentence` says why.
pub(super) fn at_most(maximum: &str, sentence: &str) -> Rule {
    Rule::new(format!(
        "!self.matches('{DURATION}') || duration(self) <= duration('{maximum}')"
    ))
    .message(format!("at most {maximum}: {sentence}").as_str())
}

/// A duration as Go writes it, without the units nobody needs here.
pub(super) const DURATION: &str = r"^([0-9]{1,9}([.][0-9]{1,9})?(ms|s|m|h))+$";

/// "These members only beside that one".
pub(super) fn only_with(owner: &str, members: &[&str], message: &str) -> Rule {
    Rule::new(format!(
        "has(self.{owner}) || ![{}].exists(x, x)",
        present(members)
    ))
    .message(message)
}

fn present(members: &[&str]) -> String {
    members
        .iter()
        .map(|member| format!("has(self.{member})"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Any text of at most `MAX` characters.
pub(super) enum Text<const MAX: u32> {}

impl<const MAX: u32> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX })
    }
}

/// Text of 1 to `MAX` characters.
pub(super) enum Filled<const MAX: u32> {}

impl<const MAX: u32> JsonSchema for Filled<MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Filled{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX })
    }
}

/// At most `MAX` items.
pub(super) struct List<T, const MAX: u32>(PhantomData<T>);

impl<T: JsonSchema, const MAX: u32> JsonSchema for List<T, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("List{MAX}Of{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "maxItems": MAX, "items": items })
    }
}

/// At most `MAX` entries. The API server cannot bound the names; admit does.
pub(super) struct Map<T, const MAX: u32>(PhantomData<T>);

impl<T: JsonSchema, const MAX: u32> JsonSchema for Map<T, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Map{MAX}Of{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "maxProperties": MAX, "additionalProperties": values })
    }
}

/// A marker for text of one shape: bounds, and a rule that explains itself.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident, max: $max:literal, rule: $rule:expr, message: $message:literal) => {
        $(#[$doc])*
        pub(super) enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $max,
                    "x-kubernetes-validations": [{ "rule": $rule, "message": $message }],
                })
            }
        }
    };
}

shape!(
    /// The name of an entry of one of our own lists: a DNS label (RFC 1123).
    EntryName, max: 63,
    rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    message: "use lower case letters, digits and '-', beginning and ending with a letter or digit"
);

shape!(
    /// The name of a Kubernetes object: a DNS subdomain (RFC 1123).
    ObjectName, max: 253,
    rule: "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
    message: "not the name of a Kubernetes object: use lower case letters, digits, '-' and '.'"
);

shape!(
    /// The name of a Kubernetes object that may still hold `{{ parameters }}`.
    ObjectNameTemplate, max: 253,
    rule: "self.contains('{{') || self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
    message: "not the name of a Kubernetes object: use lower case letters, digits, '-' and '.', or {{ parameters }}"
);

shape!(
    /// The name of a namespace: a DNS label (RFC 1123).
    NamespaceName, max: 63,
    rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    message: "not the name of a namespace: use lower case letters, digits and '-'"
);

shape!(
    /// A name that templates use.
    Identifier, max: 63,
    rule: "self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",
    message: "not a name that templates can use: use letters, digits and '_', beginning with a letter"
);

shape!(
    /// A key of a Secret or ConfigMap.
    DataKey, max: 253,
    rule: "self.matches('^[-._a-zA-Z0-9]+$')",
    message: "not a key of a Secret: use letters, digits, '-', '_' and '.'"
);

shape!(
    /// An address of the web.
    WebAddress, max: 2048,
    rule: "self.matches('^https?://[^/@\\\\s]+(/.*)?$')",
    message: "an address begins with https:// (or http://) and a host, and holds no credentials"
);

shape!(
    /// Five fields of cron.
    CronExpression, max: 128,
    rule: "self.matches('^(\\\\S+ +){4}\\\\S+$')",
    message: "a schedule has five fields: minute, hour, day of month, month, day of week, such as '0 9 * * 1-5'"
);

shape!(
    /// A host: a name, or an address without brackets.
    HostName, max: 253,
    rule: "self.matches('^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$') || self.matches('^[0-9A-Fa-f:.]+$')",
    message: "not a host: write its name or its address, without a port"
);

/// A status code of HTTP.
pub(super) enum StatusCode {}

impl JsonSchema for StatusCode {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "StatusCode".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int32", "minimum": 100, "maximum": 599 })
    }
}
