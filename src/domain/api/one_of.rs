//! One-ofs: a struct of options on the wire, an enum to match on.
//!
//! [`one_of!`](self) states the members of such a struct once: the CEL rule on the API server, the check
//! for input that has passed no API server, and the enum all follow from it.

/// Why a one-of cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadOneOf {
    /// No member is set.
    #[error("set one of {}", .members.join(", "))]
    Nothing {
        /// The members there are, as they are written on the wire.
        members: &'static [&'static str],
    },
    /// More than one member is set.
    #[error("set only one of {}", .found.join(", "))]
    Several {
        /// The members that are set.
        found: Vec<&'static str>,
    },
}

/// The one member that is set.
pub(super) fn only<V>(
    members: &'static [&'static str],
    found: impl IntoIterator<Item = (&'static str, Option<V>)>,
) -> Result<V, ReadOneOf> {
    let mut set: Vec<(&'static str, V)> = found
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect();
    match set.pop() {
        None => Err(ReadOneOf::Nothing { members }),
        Some((_, value)) if set.is_empty() => Ok(value),
        Some((last, _)) => {
            let found = set.iter().map(|(name, _)| *name).chain([last]).collect();
            Err(ReadOneOf::Several { found })
        }
    }
}

/// Gives a struct of options its `MEMBERS`, its enum and `variant()`.
macro_rules! one_of {
    ($(#[$doc:meta])* $struct:ident => $enum:ident {
        $($(#[$variant_doc:meta])* $variant:ident($type:ty) = $field:ident $wire:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum $enum<'a> {
            $($(#[$variant_doc])* $variant(&'a $type),)+
        }

        impl $enum<'_> {
            /// The member's name, as it is written on the wire.
            pub const fn wire(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $wire,)+
                }
            }
        }

        impl $struct {
            /// The members of the one-of, as they are written on the wire.
            pub const MEMBERS: &'static [&'static str] = &[$($wire),+];

            /// The one member that is set, or why there is none. The API server sees to it that there
            /// is; input of the CLI has passed no API server.
            pub fn variant(&self) -> Result<$enum<'_>, $crate::api::one_of::ReadOneOf> {
                $crate::api::one_of::only(
                    Self::MEMBERS,
                    [$(($wire, self.$field.as_ref().map($enum::$variant))),+],
                )
            }
        }
    };
}
pub(super) use one_of;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_member_is_read() {
        let members: &'static [&'static str] = &["a", "b", "c"];
        let read = |a, b, c| only(members, [("a", a), ("b", b), ("c", c)]);
        assert_eq!(read(None, Some(2), None), Ok(2));
        assert_eq!(read(None, None, None), Err(ReadOneOf::Nothing { members }));
        assert_eq!(
            read(Some(1), None, Some(3)),
            Err(ReadOneOf::Several {
                found: vec!["a", "c"]
            })
        );
        assert_eq!(
            read(None, None, None).unwrap_err().to_string(),
            "set one of a, b, c"
        );
        assert_eq!(
            read(Some(1), Some(2), None).unwrap_err().to_string(),
            "set only one of a, b"
        );
    }
}
