//! Reading what a build says about itself.

/// How far `go build -v` has come.
///
/// It writes the name of each package when it starts to compile it, and `go: downloading …` while
/// it fetches. Packages that Go has in its own cache are not named, so their number is known only
/// as an upper bound.
#[derive(Debug, Default)]
pub(super) struct GoProgress {
    compiled: usize,
    total: Option<usize>,
    now: String,
}

impl GoProgress {
    /// With the number of packages that there are, if known.
    pub(super) fn of(total: Option<usize>) -> Self {
        Self {
            total,
            ..Self::default()
        }
    }

    /// Takes in one line.
    pub(super) fn hear(&mut self, line: &str) {
        let line = line.trim();
        if let Some(module) = line.strip_prefix("go: downloading ") {
            self.now = format!("fetching {module}");
        } else if !line.is_empty() && !line.contains(char::is_whitespace) {
            self.compiled += 1;
            line.clone_into(&mut self.now);
        }
    }

    /// A few words for a person.
    pub(super) fn say(&self) -> String {
        match (self.compiled, self.total) {
            (0, _) => self.now.clone(),
            (compiled, Some(total)) => format!("package {compiled} of {total}, {}", self.now),
            (compiled, None) => format!("package {compiled}, {}", self.now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_packages_and_names_downloads() {
        let mut progress = GoProgress::of(Some(3));
        assert_eq!(progress.say(), "");
        progress.hear("go: downloading k8s.io/api v0.35.4");
        assert_eq!(progress.say(), "fetching k8s.io/api v0.35.4");
        progress.hear("internal/cpu");
        progress.hear("# some remark of the compiler");
        progress.hear("net/http");
        assert_eq!(progress.say(), "package 2 of 3, net/http");
    }
}
