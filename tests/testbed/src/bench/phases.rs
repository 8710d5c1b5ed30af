//! What is measured, in its order.

use std::time::Duration;

use super::BenchOptions;
use super::report::{Report, cpu, each, memory, middle_and_worst, time};
use super::site::Site;
use super::straight::Copies;
use super::tally::Tally;
use crate::failure::Failure;
use crate::story::{Detail, Story};
use crate::usage::Usage;

/// For what comes after the last status: Events, and memory that goes back to the system.
const SETTLING: Duration = Duration::from_secs(3);
/// How often the straight writes are made; the middle one counts.
const STRAIGHT_RUNS: usize = 3;

/// One run of all phases.
pub(super) struct Phases<'a> {
    pub(super) story: &'a mut Story,
    pub(super) site: Site,
    pub(super) options: &'a BenchOptions,
    pub(super) report: Report,
}

/// How long the first sync of all took.
struct Converged {
    took: Duration,
    writes: u64,
}

impl Phases<'_> {
    /// Measures everything, and tells it as one table.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let idle = self.idle_memory().await?;
        let converged = self.first_sync(&idle).await?;
        self.one_change().await?;
        self.all_change().await?;
        self.quiet().await?;
        self.start_on_what_is_there().await?;
        self.straight(&converged).await?;
        self.report.tell(self.story);
        Ok(())
    }

    /// What it needs with nothing to do. Then it is stopped, so that it finds everything at once.
    async fn idle_memory(&mut self) -> Result<Usage, Failure> {
        pass("nothing to do yet", SETTLING, self.story).await?;
        let idle = self.site.operator.usage()?;
        self.site.stop_operator().await?;
        Ok(idle)
    }

    async fn first_sync(&mut self, idle: &Usage) -> Result<Converged, Failure> {
        let objects = self.options.objects;
        let what = format!("{objects} SecretSyncs are made");
        self.story
            .step(&what, self.site.fleet.create_syncs())
            .await?;
        let before = self.site.look().await?;
        let fleet = self.site.fleet.clone();
        let converging = Box::pin(fleet.converge(async {
            self.site.operator.start_again().await?;
            Ok(())
        }));
        let (first, took) = self
            .story
            .step("the operator starts; all of them are ready", converging)
            .await?;
        let at_once = self.site.operator.usage()?;
        pass("it settles", SETTLING, self.story).await?;
        let after = self.site.look().await?;
        let settled = self.site.operator.usage()?;
        let requests = after.requests.since(&before.requests);
        let writes = total(&requests.writes());
        let report = &mut self.report;
        report.heading(&format!(
            "First sync of {objects} SecretSyncs with {} keys each",
            self.options.keys
        ));
        report.row(
            "from the start of the process to the last Ready",
            time(took),
            "1.5 × straight, below",
        );
        report.row("  the first status was written after", time(first), "");
        report.row(
            "API writes for each",
            each(writes, objects),
            "3: record, Secret, status",
        );
        for (request, count) in requests.writes() {
            report.row(format!("  {request}"), each(count, objects), "");
        }
        let reads = requests.reads();
        report.row("API reads for each", each(total(&reads), objects), "");
        for (request, count) in reads {
            report.row(format!("  {request}"), each(count, objects), "");
        }
        report.row("Events, Leases written", chatter(&requests), "apart");
        let read = after.vault_reads - before.vault_reads;
        report.row("vault reads for each", each(read, objects), "1");
        report.row("CPU time: operator", seconds(at_once.cpu), "");
        report.row(
            "CPU time: API server and etcd",
            seconds(after.server.saturating_sub(before.server)),
            "",
        );
        report.row(
            "CPU time: vault",
            seconds(after.vault.saturating_sub(before.vault)),
            "",
        );
        report.row(
            "resident before, with nothing to do",
            memory(idle.resident),
            "",
        );
        report.row(
            "resident after",
            memory(settled.resident),
            "25 MiB at 1,000; 60 MiB at 10,000",
        );
        report.row("resident at most", memory(settled.peak), "");
        Ok(Converged { took, writes })
    }

    /// The way of one value from the vault to the Secret, without waiting for the interval: there is no
    /// webhook yet, so the refresh annotation asks for the read.
    async fn one_change(&mut self) -> Result<(), Failure> {
        let samples = self.options.samples.min(self.options.objects);
        let fleet = self.site.fleet.clone();
        let changing = |detail: Detail| async move {
            let mut times = Vec::with_capacity(samples);
            for number in 0..samples {
                detail.set(format!("{number} of {samples}"));
                times.push(fleet.change_one(number, 1).await?);
            }
            Ok::<_, Failure>(times)
        };
        let what = format!("one value changes, {samples} times");
        let times = self.story.detailed_step(&what, changing).await?;
        let (middle, worst) = middle_and_worst(&times);
        self.report
            .heading("One value changes, asked for by the refresh annotation");
        self.report.row(
            "from the annotation to the Secret, in the middle",
            time(middle),
            "",
        );
        self.report.row("  at worst", time(worst), "");
        Ok(())
    }

    async fn all_change(&mut self) -> Result<(), Failure> {
        let (objects, interval) = (self.options.objects, self.options.interval);
        let before = self.site.look().await?;
        let used = self.site.operator.usage()?;
        let fleet = self.site.fleet.clone();
        let took = self
            .story
            .step("all values change", fleet.change_all(2))
            .await?;
        pass("it settles", SETTLING, self.story).await?;
        let after = self.site.look().await?;
        let now = self.site.operator.usage()?;
        let requests = after.requests.since(&before.requests);
        let writes = requests.writes();
        let bound = interval.as_secs_f64() * 1.1;
        self.report.heading(&format!(
            "All {objects} values change; each sync reads every {} s",
            interval.as_secs()
        ));
        self.report.row(
            "from the last change in the vault to the last Secret",
            time(took),
            "",
        );
        self.report.row(
            "  of which the interval may take",
            format!("{bound:.2} s"),
            "",
        );
        self.report
            .row("API writes for each", each(total(&writes), objects), "3");
        self.report.row("CPU time: operator", cpu(&used, &now), "");
        Ok(())
    }

    async fn quiet(&mut self) -> Result<(), Failure> {
        let (objects, quiet) = (self.options.objects, self.options.quiet);
        let before = self.site.look().await?;
        let used = self.site.operator.usage()?;
        pass("nothing changes", quiet, self.story).await?;
        let after = self.site.look().await?;
        let now = self.site.operator.usage()?;
        let requests = after.requests.since(&before.requests);
        let seconds = quiet.as_secs();
        self.report.heading(&format!(
            "Nothing changes for {seconds} s; each sync reads every {} s",
            self.options.interval.as_secs()
        ));
        let writes = requests.writes();
        self.report
            .row("API writes, all together", total(&writes).to_string(), "0");
        for (request, count) in writes {
            self.report
                .row(format!("  {request}"), count.to_string(), "");
        }
        self.report.row(
            "API reads, all together",
            total(&requests.reads()).to_string(),
            "0",
        );
        self.report
            .row("Events, Leases written", chatter(&requests), "apart");
        let reads = after.vault_reads - before.vault_reads;
        let expected = quiet.as_secs_f64() / self.options.interval.as_secs_f64();
        self.report.row(
            "vault reads for each",
            each(reads, objects),
            "1 for each interval, below",
        );
        self.report.row("  intervals", format!("{expected:.2}"), "");
        self.report.row("CPU time: operator", cpu(&used, &now), "");
        self.report.row("resident after", memory(now.resident), "");
        Ok(())
    }

    async fn start_on_what_is_there(&mut self) -> Result<(), Failure> {
        let objects = self.options.objects;
        self.site.stop_operator().await?;
        let before = self.site.look().await?;
        self.site.operator.start_again().await?;
        let starting = self.site.await_ready();
        self.story
            .step("the operator starts on what is there", starting)
            .await?;
        // By then every sync has been read once.
        let settled = self.options.interval + SETTLING;
        pass("it settles", settled, self.story).await?;
        let after = self.site.look().await?;
        let now = self.site.operator.usage()?;
        let requests = after.requests.since(&before.requests);
        self.report
            .heading("The operator is stopped and started again, nothing has changed");
        self.report.row(
            "API writes, all together",
            total(&requests.writes()).to_string(),
            "0",
        );
        let reads = total(&requests.reads());
        self.report
            .row("API reads for each", each(reads, objects), "");
        self.report.row("resident after", memory(now.resident), "");
        self.report.row("resident at most", memory(now.peak), "");
        Ok(())
    }

    async fn straight(&mut self, converged: &Converged) -> Result<(), Failure> {
        self.site.stop_operator().await?;
        let namespaces: Vec<String> = (1..=STRAIGHT_RUNS)
            .map(|run| format!("straight-{run}"))
            .collect();
        let operator = self.site.act_as_operator(&namespaces).await?;
        let copies = Copies::take(&self.site.fleet).await?;
        let before = self.site.server_time().await;
        let mut times = Vec::new();
        for namespace in &namespaces {
            let writing = copies.write(&self.site.fleet, &operator, namespace);
            times.push(
                self.story
                    .step("the same writes made straight", writing)
                    .await?,
            );
        }
        let runs = u32::try_from(STRAIGHT_RUNS).unwrap_or(1);
        let server = self.site.server_time().await.saturating_sub(before) / runs;
        let (middle, worst) = middle_and_worst(&times);
        let ratio = converged.took.as_secs_f64() / middle.as_secs_f64().max(0.001);
        self.report
            .heading("The same writes made straight, by the same account, 32 at a time");
        self.report.row(
            "record, Secret and status of all, in the middle of 3",
            time(middle),
            "",
        );
        self.report.row("  at worst", time(worst), "");
        self.report.row(
            "the operator's first sync took, times that",
            format!("{ratio:.2}"),
            "1.50",
        );
        self.report.row(
            "its writes, straight ones",
            format!("{}, {}", converged.writes, 3 * self.options.objects),
            "",
        );
        self.report.row(
            "CPU time: API server and etcd, with making the SecretSyncs",
            seconds(server),
            "",
        );
        Ok(())
    }
}

/// Lets time pass, and tells.
async fn pass(what: &str, duration: Duration, story: &mut Story) -> Result<(), Failure> {
    let passing = async {
        tokio::time::sleep(duration).await;
        Ok::<(), Failure>(())
    };
    story.step(what, passing).await
}

fn total<T>(counts: &[(T, u64)]) -> u64 {
    counts.iter().map(|(_, count)| count).sum()
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn chatter(requests: &Tally) -> String {
    let count = |resource| requests.chatter(resource);
    format!("{}, {}", count("events"), count("leases"))
}
