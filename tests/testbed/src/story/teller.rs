//! The story and its lines.

use std::fmt::Display;
use std::future::Future;
use std::io::Write;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::look::{Look, Tone, spoken};
use super::step::Detail;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME: Duration = Duration::from_millis(100);
/// How often a plain output hears of a long step.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const ERASE_LINE: &str = "\r\u{1b}[2K";

/// Something that is told line by line.
///
/// An output that cannot be written to is no reason to stop the work that is told about: such
/// errors are passed over.
pub struct Story {
    output: Box<dyn Write + Send>,
    look: Look,
    chapter: usize,
}

impl Story {
    /// A story told on standard output.
    pub fn on_stdout() -> Self {
        Self::new(Box::new(std::io::stdout()), Look::of_stdout())
    }

    /// A story told to any writer.
    pub fn new(output: Box<dyn Write + Send>, look: Look) -> Self {
        Self {
            output,
            look,
            chapter: 0,
        }
    }

    /// What the output can show.
    pub fn look(&self) -> Look {
        self.look
    }

    /// The title, once, with one sentence under it.
    pub fn title(&mut self, title: &str, sentence: &str) {
        let title = self.look.dress(Tone::Strong, title);
        self.line(&title);
        for line in self.look.wrap(sentence, 0) {
            let line = self.look.dress(Tone::Faint, &line);
            self.line(&line);
        }
    }

    /// Opens the next numbered chapter.
    pub fn chapter(&mut self, heading: &str) {
        self.chapter += 1;
        let number = self.look.dress(Tone::Accent, &format!("{}.", self.chapter));
        let heading = self.look.dress(Tone::Strong, heading);
        self.line("");
        self.line(&format!("{number} {heading}"));
    }

    /// A sentence or a paragraph.
    pub fn say(&mut self, text: &str) {
        for line in self.look.wrap(text, 3) {
            self.line(format!("   {line}").trim_end());
        }
    }

    /// A command that the reader could type to see the same.
    pub fn command(&mut self, command: &str) {
        let dressed = self.look.dress(Tone::Accent, command);
        self.line(&format!("   $ {dressed}"));
    }

    /// A question; the answer is typed on the same line.
    pub fn ask(&mut self, question: &str) {
        let question = self.look.dress(Tone::Strong, question);
        self.write(&format!("   {question} "));
    }

    /// Facts as they were seen, such as the output of a command; lines that are too long are cut.
    pub fn quote(&mut self, facts: &str) {
        let bar = self.look.dress(Tone::Faint, "│");
        for fact in facts.lines() {
            let fact = self.look.fit(fact, 5);
            self.line(format!("   {bar} {fact}").trim_end());
        }
    }

    /// What somebody else says, in full.
    pub fn cite(&mut self, text: &str) {
        let bar = self.look.dress(Tone::Faint, "│");
        for line in self.look.wrap(text, 5) {
            self.line(format!("   {bar} {line}").trim_end());
        }
    }

    /// Something that came true without a wait.
    pub fn done(&mut self, what: &str) {
        let mark = self.look.dress(Tone::Good, "✓");
        self.line(&format!("   {mark} {what}"));
    }

    /// Something that did not come true, and why.
    pub fn failed(&mut self, what: &str, why: &dyn Display) {
        let mark = self.look.dress(Tone::Bad, "✗");
        self.line(&format!("   {mark} {what}"));
        for line in self.look.wrap(&why.to_string(), 5) {
            self.line(format!("     {line}").trim_end());
        }
    }

    /// A bare line.
    pub fn line(&mut self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Runs one step to its end, and marks it ✓ or ✗.
    pub async fn step<T, E: Display>(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.detailed_step(what, |_| work).await
    }

    /// Runs one step that says what it is at: `work` gets a [`Detail`] to write to.
    pub async fn detailed_step<T, E, W>(
        &mut self,
        what: &str,
        work: impl FnOnce(Detail) -> W,
    ) -> Result<T, E>
    where
        E: Display,
        W: Future<Output = Result<T, E>>,
    {
        let (detail, reader) = Detail::new();
        let start = Instant::now();
        let outcome = self.accompany(what, start, work(detail), &reader).await;
        if self.look.live {
            self.write(ERASE_LINE);
        }
        match &outcome {
            Ok(_) => {
                let took = self.look.dress(Tone::Faint, &spoken(start.elapsed()));
                self.done(&format!("{what}  {took}"));
            }
            Err(error) => self.failed(what, error),
        }
        outcome
    }

    async fn accompany<T>(
        &mut self,
        what: &str,
        start: Instant,
        work: impl Future<Output = T>,
        detail: &watch::Receiver<String>,
    ) -> T {
        let period = if self.look.live { FRAME } else { SIGN_OF_LIFE };
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once. A terminal shows it, plain lines are for long waits.
        if !self.look.live {
            ticks.tick().await;
        }
        let mut frame = 0;
        tokio::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                _ = ticks.tick() => {
                    let now = detail.borrow().clone();
                    self.sign_of_life(what, start.elapsed(), &now, frame);
                    frame += 1;
                }
            }
        }
    }

    fn sign_of_life(&mut self, what: &str, elapsed: Duration, detail: &str, frame: usize) {
        let text = format!("{what}  {}  {detail}", spoken(elapsed));
        let text = text.trim_end();
        if self.look.live {
            let mark = FRAMES.get(frame % FRAMES.len()).copied().unwrap_or("·");
            let mark = self.look.dress(Tone::Accent, mark);
            let text = self.look.fit(text, 5);
            self.write(&format!("{ERASE_LINE}   {mark} {text}"));
        } else {
            self.line(&format!("   … {text}"));
        }
    }

    fn write(&mut self, text: &str) {
        // See the type's documentation.
        drop(self.output.write_all(text.as_bytes()));
        drop(self.output.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(look: Look) -> (Story, Page) {
        let page = Page::default();
        (Story::new(Box::new(page.clone()), look), page)
    }

    #[test]
    fn chapters_are_numbered_and_facts_are_quoted() {
        let (mut story, page) = told(Look::PLAIN);
        story.title("Penstock", "A tour.");
        story.chapter("The Secret appears");
        story.command("kubectl get secret");
        story.quote("NAME\nquickstart");
        story.chapter("The vault changes");
        story.failed("it followed", &"nothing came");
        assert_eq!(
            page.text(),
            "Penstock\nA tour.\n\n1. The Secret appears\n   $ kubectl get secret\n   │ NAME\n   \
             │ quickstart\n\n2. The vault changes\n   ✗ it followed\n     nothing came\n"
        );
    }

    #[test]
    fn what_is_cited_is_wrapped_and_not_cut() {
        let narrow = Look {
            width: 16,
            ..Look::PLAIN
        };
        let (mut story, page) = told(narrow);
        story.cite("one two three four");
        assert_eq!(page.text(), "   │ one two\n   │ three four\n");
    }

    #[tokio::test]
    async fn a_short_step_on_a_plain_output_is_one_line() {
        let (mut story, page) = told(Look::PLAIN);
        let value = story.step("counted", async { Ok::<_, String>(3) }).await;
        assert_eq!(value, Ok(3));
        assert!(
            page.text().starts_with("   ✓ counted  0."),
            "{}",
            page.text()
        );
        assert_eq!(page.text().lines().count(), 1);
    }

    #[tokio::test]
    async fn a_failed_step_gives_its_error_back_and_tells_it() {
        let (mut story, page) = told(Look::PLAIN);
        let outcome = story
            .step("counted", async { Err::<(), _>("no fingers") })
            .await;
        assert_eq!(outcome, Err("no fingers"));
        assert_eq!(page.text(), "   ✗ counted\n     no fingers\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_step_gives_signs_of_life_with_its_detail() {
        let (mut story, page) = told(Look::PLAIN);
        let work = |detail: Detail| async move {
            detail.set("half way");
            tokio::time::sleep(Duration::from_secs(40)).await;
            Ok::<_, String>(())
        };
        story.detailed_step("building", work).await.unwrap();
        let signs = page
            .text()
            .lines()
            .filter(|line| line.ends_with("half way"))
            .count();
        assert_eq!(signs, 2, "{}", page.text());
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_sees_one_line_that_is_drawn_again() {
        let live = Look {
            live: true,
            ..Look::PLAIN
        };
        let (mut story, page) = told(live);
        let nap = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, String>(())
        };
        story.step("sleeping", nap).await.unwrap();
        let text = page.text();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.matches(ERASE_LINE).count() >= 10, "{text:?}");
    }
}
