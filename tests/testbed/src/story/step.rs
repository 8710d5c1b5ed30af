//! A step under way.

use tokio::sync::watch;

/// What a step is at, for the spinner: a handle that the work may keep and write to.
#[derive(Clone, Debug)]
pub struct Detail {
    text: watch::Sender<String>,
}

impl Detail {
    /// A detail and the end that reads it.
    pub(super) fn new() -> (Self, watch::Receiver<String>) {
        let (text, reader) = watch::channel(String::new());
        (Self { text }, reader)
    }

    /// Says what the step is at now, in a few words.
    pub fn set(&self, text: impl Into<String>) {
        self.text.send_replace(text.into());
    }
}
