//! When a SecretSync holds our finalizer, and when its targets may be cleaned. Pure.

/// What a SecretSync and its spec say about cleaning up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CleanUpState {
    /// Our finalizer is on it.
    pub(crate) held: bool,
    /// A target says `onDelete: delete`; none when the spec cannot be understood.
    pub(crate) wanted: Option<bool>,
    /// It is being deleted.
    pub(crate) deleting: bool,
}

/// What to do about the finalizer before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinalizerStep {
    /// Nothing: go on with the pass.
    GoOn,
    /// Put it on, then go on.
    Hold,
    /// Take it off, then go on.
    LetGo,
    /// Clean up, then take it off.
    CleanUp,
    /// The object is going and nothing of ours holds it: leave it alone.
    Leave,
}

/// What to do about the finalizer.
pub(crate) fn finalizer_step(state: CleanUpState) -> FinalizerStep {
    match state {
        CleanUpState {
            deleting: true,
            held: true,
            ..
        } => FinalizerStep::CleanUp,
        CleanUpState {
            deleting: true,
            held: false,
            ..
        } => FinalizerStep::Leave,
        CleanUpState {
            held: false,
            wanted: Some(true),
            ..
        } => FinalizerStep::Hold,
        CleanUpState {
            held: true,
            wanted: Some(false),
            ..
        } => FinalizerStep::LetGo,
        _ => FinalizerStep::GoOn,
    }
}

/// What stands around a SecretSync that is being deleted. None: we may not look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Its namespace is being deleted.
    pub(crate) namespace_goes: Option<bool>,
    /// The definition of SecretSyncs is being deleted, and all of them with it.
    pub(crate) definition_goes: Option<bool>,
}

/// Whether targets may be cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CleanUpVerdict {
    /// The SecretSync itself goes: clean.
    Clean,
    /// Something larger goes, or we cannot know: keep the targets, and hold nobody up.
    Keep(&'static str),
}

/// Whether targets may be cleaned: only when it is surely the SecretSync itself that goes (design
/// decision 5), because what is deleted is not coming back and what is kept can still be deleted by hand.
pub(crate) fn clean_up_verdict(surroundings: Surroundings) -> CleanUpVerdict {
    use CleanUpVerdict::{Clean, Keep};
    match surroundings {
        Surroundings {
            namespace_goes: Some(true),
            ..
        } => Keep("its namespace is being deleted, and the targets with it"),
        Surroundings {
            definition_goes: Some(true),
            ..
        } => Keep("the definition of SecretSyncs is being deleted; targets stay"),
        Surroundings {
            namespace_goes: Some(false),
            definition_goes: Some(false),
        } => Clean,
        Surroundings { .. } => Keep(
            "the operator may not see whether its namespace or the definition of SecretSyncs is being deleted; targets stay",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finalizer_is_there_exactly_where_something_must_be_cleaned() {
        use FinalizerStep::{CleanUp, GoOn, Hold, Leave, LetGo};
        for (held, wanted, deleting, step) in [
            (false, Some(false), false, GoOn),
            (false, Some(true), false, Hold),
            (true, Some(true), false, GoOn),
            (true, Some(false), false, LetGo),
            (true, None, false, GoOn),
            (false, None, false, GoOn),
            (true, Some(true), true, CleanUp),
            (true, None, true, CleanUp),
            (false, Some(true), true, Leave),
        ] {
            let state = CleanUpState {
                held,
                wanted,
                deleting,
            };
            assert_eq!(finalizer_step(state), step, "{state:?}");
        }
    }

    #[test]
    fn nothing_is_cleaned_unless_the_sync_alone_goes() {
        let verdict = |namespace_goes, definition_goes| {
            clean_up_verdict(Surroundings {
                namespace_goes,
                definition_goes,
            })
        };
        assert_eq!(verdict(Some(false), Some(false)), CleanUpVerdict::Clean);
        for namespace in [None, Some(true), Some(false)] {
            for definition in [None, Some(true), Some(false)] {
                if (namespace, definition) != (Some(false), Some(false)) {
                    assert!(matches!(
                        verdict(namespace, definition),
                        CleanUpVerdict::Keep(_)
                    ));
                }
            }
        }
    }
}
