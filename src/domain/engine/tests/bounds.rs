//! What is too much is refused before memory is spent on the rest of it.

use super::lab::{Lab, pairs};
use crate::api::shared::MaskedText;
use crate::conditions::Reason;
use crate::sync::Making;
use crate::testing::world::Call;
use crate::testing::{key, source, sync};

const MIB: usize = 1024 * 1024;

#[test]
fn sources_that_answer_with_too_much_are_not_all_read() {
    let mut sync = sync();
    sync.sources = (0..32)
        .map(|number| source(&format!("s{number:02}")))
        .collect();
    let mut lab = Lab::with(sync);
    for number in 0..32 {
        lab.world.answer(&format!("s{number:02}"), &[("A", "1")]);
    }
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1")]));
    let large = "x".repeat(6 * MIB);
    for number in 0..32 {
        lab.world.answer(&format!("s{number:02}"), &[("A", &large)]);
    }
    lab.world.take_calls();
    lab.refresh();
    lab.assert_not_ready(Reason::TooLarge);
    assert_eq!(lab.content(), pairs(&[("A", "1")]));
    let reads = lab.world.take_calls();
    let reads = reads
        .iter()
        .filter(|call| matches!(call, Call::Read(_)))
        .count();
    assert!(reads < 16, "{reads} sources were read");
}

#[test]
fn templates_that_make_too_much_are_not_all_rendered() {
    let mut sync = sync();
    let mut make = |name: &str, template: &str| {
        let making = Making::Template(MaskedText::from(template));
        sync.transform.data.insert(key(name), making);
    };
    for number in 0..200 {
        make(&format!("M{number:03}"), "{{ A }}");
    }
    make("Z", "{{ NOT_THERE }}");
    let mut lab = Lab::with(sync);
    lab.world.answer("vault", &[("A", &"x".repeat(MIB))]);
    lab.refresh();
    lab.assert_not_ready(Reason::TooLarge);
    let told = format!("{:?}", lab.status);
    assert!(!told.contains("NOT_THERE"), "it went on: {told}");
}
