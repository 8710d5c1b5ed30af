//! Log lines: their form, their level, their way out.

use std::io::{self, Write};
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, registry};

use crate::redaction::redact;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people: time, level, sentence, fields.
    Human,
}

/// The crates whose log lines a filter may open below `info`.
const OURS: &str = "penstock";

/// The most that a filter may ask of a dependency (rule 3): below it, HTTP clients print headers and bodies.
const DEPENDENCIES_AT_MOST: LevelFilter = LevelFilter::INFO;

/// Dependencies that are never heard: kube prints the whole body of an answer that it cannot decode. What
/// happens at the API server is told by our own happenings.
const SILENT: [&str; 2] = ["kube_client", "kube_runtime"];

/// Why a log filter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no log filter: write a level (`info`), or levels by module (`info,penstock_controller=debug`)"
)]
pub struct ParseLogFilter {
    text: String,
}

/// From which level on lines are written: `info`, or `info,penstock_controller=debug`.
/// Dependencies stay at `info` or above, whatever it says.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFilter(Targets);

impl FromStr for LogFilter {
    type Err = ParseLogFilter;

    fn from_str(text: &str) -> Result<Self, ParseLogFilter> {
        let wish = Targets::from_str(text).map_err(|_| ParseLogFilter {
            text: text.chars().take(80).collect(),
        })?;
        let general = wish.default_level().unwrap_or(LevelFilter::INFO);
        let silent = |target: &str| SILENT.iter().any(|silent| target.starts_with(silent));
        let capped = wish
            .iter()
            .filter(|(target, _)| !is_ours(target) && !silent(target));
        let own = wish.iter().filter(|(target, _)| is_ours(target));
        let targets = Targets::new()
            .with_default(general.min(DEPENDENCIES_AT_MOST))
            .with_targets(capped.map(|(target, level)| (target, level.min(DEPENDENCIES_AT_MOST))))
            .with_target(OURS, general)
            .with_targets(own)
            .with_targets(SILENT.map(|target| (target, LevelFilter::OFF)));
        Ok(Self(targets))
    }
}

/// `penstock` and `penstock_…`, at the border of a name: a filter matches by prefix, and `pen` is not ours.
fn is_ours(target: &str) -> bool {
    target
        .strip_prefix(OURS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_') || rest.starts_with("::"))
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
#[error("logging has been started before")]
pub struct StartLogging(#[source] tracing_subscriber::util::TryInitError);

/// Starts logging to standard error, for the whole process.
pub fn start_logging(format: LogFormat, filter: LogFilter) -> Result<(), StartLogging> {
    let layer = tracing_subscriber::fmt::layer().with_writer(Redacting(io::stderr));
    let layer = match format {
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_filter(filter.0)
            .boxed(),
        LogFormat::Human => layer
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .with_target(false)
            .with_filter(filter.0)
            .boxed(),
    };
    registry().with(layer).try_init().map_err(StartLogging)
}

/// Masks what looks like a credential on its way to the writers of `M`. Each line comes in one write.
#[derive(Debug, Clone)]
struct Redacting<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = RedactingWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter(self.0.make_writer())
    }
}

struct RedactingWriter<W>(W);

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&redact(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    fn enables(filter: &str, target: &str, level: Level) -> bool {
        filter
            .parse::<LogFilter>()
            .unwrap()
            .0
            .would_enable(target, &level)
    }

    #[test]
    fn dependencies_never_open_below_info() {
        for filter in [
            "trace",
            "hyper=trace",
            "info,kube_client=debug",
            "debug,h2=trace",
            "pen=trace",
        ] {
            for target in ["hyper::proto", "kube_client::client", "h2", "pen"] {
                assert!(
                    !enables(filter, target, Level::DEBUG),
                    "{filter} opens {target}"
                );
            }
        }
        assert!(enables("trace", "hyper", Level::INFO));
    }

    #[test]
    fn our_own_rooms_open_as_asked() {
        assert!(enables("debug", "penstock_controller::queue", Level::DEBUG));
        assert!(enables(
            "warn,penstock_domain=trace",
            "penstock_domain::plan",
            Level::TRACE
        ));
        assert!(!enables(
            "warn,penstock_domain=trace",
            "penstock_cli",
            Level::INFO
        ));
        assert!(!enables("error", "hyper", Level::WARN));
    }

    #[test]
    fn a_library_that_prints_bodies_is_never_heard() {
        for filter in ["trace", "kube_client=warn", "kube_client::client=trace"] {
            assert!(
                !enables(filter, "kube_client::client", Level::ERROR),
                "{filter}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        let refusal = "penstock=loud".parse::<LogFilter>().unwrap_err();
        assert!(
            refusal
                .to_string()
                .contains("info,penstock_controller=debug")
        );
    }

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_token_in_a_line_is_masked_and_the_line_stays_json() {
        let memory = Memory::default();
        let sink = memory.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(Redacting(move || sink.clone()))
            .json()
            .flatten_event(true);
        tracing::subscriber::with_default(registry().with(layer), || {
            tracing::warn!(
                url = "https://a:hunter2@vault/",
                "the token hvs.CAESIJabcdef is refused"
            );
        });
        let line = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["message"], "the token hvs.*** is refused");
        assert_eq!(json["url"], "https://a:***@vault/");
    }
}
