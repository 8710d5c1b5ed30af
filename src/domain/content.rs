//! Which content a pass works with: what was just read, what the record keeps, or none.

use std::collections::BTreeSet;

use crate::bundle::Bundle;
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::Key;
use crate::sync::{OnUnavailable, ValidatedSync};
use crate::text::key_list;

/// What the sources gave, after rendering.
#[derive(Debug, Clone, PartialEq)]
pub enum Gathered {
    /// It was not time to read.
    NotDue,
    /// Every source answered, and the answers make a bundle.
    Complete(Bundle),
    /// Some sources did not answer, and all of those say `useOthers`.
    Partial {
        /// What the others make.
        bundle: Bundle,
        /// Who did not answer, and why.
        faults: Vec<Fault>,
    },
    /// A source without which nothing goes on did not answer.
    Missing {
        /// Who, and why.
        faults: Vec<Fault>,
        /// One of them says `fail`.
        fail: bool,
    },
    /// The answers make no bundle: a template, a required key, a conflict.
    Unusable(Vec<Fault>),
}

impl Gathered {
    /// What the failures of sources mean, given what each says about its absence.
    pub fn missing(sync: &ValidatedSync, faults: Vec<(usize, Fault)>) -> Self {
        let fail = faults.iter().any(|(index, _)| {
            sync.sources
                .get(*index)
                .is_some_and(|source| source.on_unavailable == OnUnavailable::Fail)
        });
        Self::Missing {
            faults: faults.into_iter().map(|(_, fault)| fault).collect(),
            fail,
        }
    }
}

/// The content that targets should hold after this pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// The bundle; none when there is nothing good to write.
    pub bundle: Option<Bundle>,
    /// It is news, not what the record keeps.
    pub fresh: bool,
    /// Keys of the record that a complete read did not have; none when there was no complete read.
    pub absent: Option<BTreeSet<Key>>,
    /// What must be told. Kept until the next read.
    pub notes: Notes,
}

/// What a read left to tell, until the next read says otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notes {
    /// Sources that do not answer while the last good content stays in use.
    pub stale: Vec<Fault>,
    /// Why the content of the sources cannot be used.
    pub blocked: Vec<Fault>,
    /// Keys that are gone from the sources and wait for a second read to agree.
    pub confirming: BTreeSet<Key>,
}

/// What the record knows of the content in use.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The content; none where values are not kept.
    pub bundle: Option<&'a Bundle>,
    /// Its keys.
    pub keys: &'a BTreeSet<Key>,
}

/// Chooses the content.
///
/// `absent` is what the previous complete read did not have although the record does. A key leaves only when
/// two consecutive complete reads lack it; the first read that lacks one changes nothing at all, so that what
/// comes with the removal (a renamed key, say) is one change and one restart.
pub fn choose(
    gathered: Gathered,
    known: Known<'_>,
    absent: &BTreeSet<Key>,
    last: &Notes,
) -> Content {
    let kept = |notes: Notes| Content {
        bundle: known.bundle.cloned(),
        fresh: false,
        absent: None,
        notes,
    };
    match gathered {
        Gathered::NotDue => kept(last.clone()),
        Gathered::Complete(bundle) => complete(bundle, known, absent),
        Gathered::Partial { bundle, faults } => {
            let bundle = carry_over(bundle, known, |_| true);
            Content {
                absent: None,
                fresh: bundle.is_some(),
                bundle,
                notes: Notes {
                    stale: faults,
                    ..Notes::default()
                },
            }
        }
        Gathered::Missing { faults, fail } if !fail && !known.keys.is_empty() => kept(Notes {
            stale: faults,
            ..Notes::default()
        }),
        Gathered::Missing { faults, .. } | Gathered::Unusable(faults) => kept(Notes {
            blocked: faults,
            ..Notes::default()
        }),
    }
}

fn complete(bundle: Bundle, known: Known<'_>, absent: &BTreeSet<Key>) -> Content {
    let gone: BTreeSet<Key> = known
        .keys
        .iter()
        .filter(|key| !bundle.0.contains_key(*key))
        .cloned()
        .collect();
    let confirming: BTreeSet<Key> = gone.difference(absent).cloned().collect();
    let carried = carry_over(bundle, known, |key| confirming.contains(key));
    let hold = !confirming.is_empty() && absent.is_empty();
    let bundle = if hold { known.bundle.cloned() } else { carried };
    Content {
        absent: Some(gone),
        fresh: !hold && bundle.is_some(),
        bundle,
        notes: Notes {
            confirming,
            ..Notes::default()
        },
    }
}

/// Adds the keys that must not leave yet; none when their values are not at hand.
fn carry_over(
    mut bundle: Bundle,
    known: Known<'_>,
    stays: impl Fn(&Key) -> bool,
) -> Option<Bundle> {
    for key in known.keys.iter().filter(|key| stays(key)) {
        if !bundle.0.contains_key(key) {
            let entry = known.bundle.and_then(|kept| kept.0.get(key))?.clone();
            bundle.0.insert(key.clone(), entry);
        }
    }
    Some(bundle)
}

impl Notes {
    /// What to say about keys that wait for a second read.
    pub fn confirming_fault(&self) -> Option<Fault> {
        (!self.confirming.is_empty()).then(|| {
            let names: Vec<&str> = self.confirming.iter().map(Key::as_str).collect();
            let message = format!(
                "keys are gone and a second read must agree before they leave: {}",
                key_list(&names)
            );
            Fault::new(FaultClass::Unavailable, "sources", message)
                .because(Reason::ConfirmingAbsence)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundleEntry, Provenance};
    use crate::secret::SecretValue;

    fn bundle(entries: &[(&str, &str)]) -> Bundle {
        let entry = |value: &str| BundleEntry {
            value: SecretValue::from(value),
            provenance: Provenance::default(),
        };
        Bundle(
            entries
                .iter()
                .map(|(key, value)| (Key::new(*key).unwrap(), entry(value)))
                .collect(),
        )
    }

    fn keys(names: &[&str]) -> BTreeSet<Key> {
        names.iter().map(|name| Key::new(*name).unwrap()).collect()
    }

    fn known<'a>(bundle: &'a Bundle, names: &'a BTreeSet<Key>) -> Known<'a> {
        Known {
            bundle: Some(bundle),
            keys: names,
        }
    }

    fn fault() -> Fault {
        Fault::new(FaultClass::Unavailable, "source vault", "does not answer")
    }

    #[test]
    fn the_first_read_that_lacks_a_key_changes_nothing_at_all() {
        let (current, names) = (bundle(&[("A", "1"), ("B", "1")]), keys(&["A", "B"]));
        let read = Gathered::Complete(bundle(&[("A", "2"), ("C", "1")]));
        let content = choose(
            read.clone(),
            known(&current, &names),
            &keys(&[]),
            &Notes::default(),
        );
        assert_eq!(content.bundle, Some(current.clone()));
        assert_eq!(content.notes.confirming, keys(&["B"]));

        let content = choose(
            read,
            known(&current, &names),
            &keys(&["B"]),
            &Notes::default(),
        );
        assert_eq!(content.bundle, Some(bundle(&[("A", "2"), ("C", "1")])));
        assert!(content.notes.confirming.is_empty());
    }

    #[test]
    fn a_source_that_lacks_another_key_each_time_deletes_none_and_still_brings_news() {
        let (current, names) = (bundle(&[("A", "1"), ("B", "1")]), keys(&["A", "B"]));
        let read = Gathered::Complete(bundle(&[("B", "2")]));
        let content = choose(
            read,
            known(&current, &names),
            &keys(&["B"]),
            &Notes::default(),
        );
        assert_eq!(content.bundle, Some(bundle(&[("A", "1"), ("B", "2")])));
        assert_eq!(content.notes.confirming, keys(&["A"]));
    }

    #[test]
    fn an_incomplete_read_never_takes_a_key_away() {
        let (current, names) = (bundle(&[("A", "1"), ("B", "1")]), keys(&["A", "B"]));
        let partial = Gathered::Partial {
            bundle: bundle(&[("A", "2")]),
            faults: vec![fault()],
        };
        let content = choose(
            partial,
            known(&current, &names),
            &keys(&["B"]),
            &Notes::default(),
        );
        assert_eq!(content.bundle, Some(bundle(&[("A", "2"), ("B", "1")])));

        let missing = Gathered::Missing {
            faults: vec![fault()],
            fail: false,
        };
        let content = choose(
            missing,
            known(&current, &names),
            &keys(&["A", "B"]),
            &Notes::default(),
        );
        assert_eq!((content.bundle, content.fresh), (Some(current), false));
        assert_eq!(content.notes.stale, [fault()]);
    }

    #[test]
    fn where_values_are_not_kept_nothing_is_written_until_the_absence_is_confirmed() {
        let names = keys(&["A", "B"]);
        let known = Known {
            bundle: None,
            keys: &names,
        };
        let read = Gathered::Complete(bundle(&[("A", "2")]));
        assert_eq!(
            choose(read.clone(), known, &keys(&[]), &Notes::default()).bundle,
            None
        );
        assert!(
            choose(read, known, &keys(&["B"]), &Notes::default())
                .bundle
                .is_some()
        );
    }

    #[test]
    fn without_a_last_good_content_a_missing_source_blocks() {
        let missing = Gathered::Missing {
            faults: vec![fault()],
            fail: false,
        };
        let content = choose(
            missing,
            Known {
                bundle: None,
                keys: &keys(&[]),
            },
            &keys(&[]),
            &Notes::default(),
        );
        assert_eq!(content.bundle, None);
        assert_eq!(content.notes.blocked, [fault()]);
    }

    #[test]
    fn between_reads_the_last_notes_stay() {
        let last = Notes {
            stale: vec![fault()],
            ..Notes::default()
        };
        let content = choose(
            Gathered::NotDue,
            Known {
                bundle: Some(&bundle(&[("A", "1")])),
                keys: &keys(&["A"]),
            },
            &keys(&[]),
            &last,
        );
        assert_eq!(content.notes, last);
    }
}
