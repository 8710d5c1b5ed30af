//! Telling a person what happens while it happens.
//!
//! A [`Story`] has a title and numbered chapters; in a chapter there are sentences, commands,
//! quoted facts and steps. A step runs a future, shows a spinner with the elapsed time on a
//! terminal, and ends in ✓ or ✗. Where the output is no terminal there are plain lines, and a line
//! from time to time while a step takes long. Colours are used only on a terminal, and never when
//! `NO_COLOR` is set.

mod look;
mod step;
mod teller;

pub use look::Look;
pub use step::Detail;
pub use teller::Story;
