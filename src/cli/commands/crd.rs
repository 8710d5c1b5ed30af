//! `penstock crd`: prints our `CustomResourceDefinition`s, as the folder `crds/` holds them.

use std::io::{self, Write};

use penstock_domain::api::crds::all_crds;

/// Stands above each definition, so that nobody edits what is generated.
const HEADER: &str = "# Generated from src/domain/api by `make generate`: edit there.\n";

/// Why the definitions could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintCrds {
    /// A definition does not serialize.
    #[error("write definition {name} as YAML")]
    Serialize {
        /// Name of the definition.
        name: String,
        /// What the serializer says.
        #[source]
        source: serde_saphyr::ser_error::Error,
    },
    /// The output does not take it.
    #[error("write definitions")]
    Write(#[source] io::Error),
}

/// One definition as YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrdDocument {
    /// `metadata.name`, such as `secretsyncs.penstock.dev`.
    pub name: String,
    /// The YAML document, with a final newline.
    pub yaml: String,
}

/// All definitions as YAML, in the order of their names.
pub fn crd_documents() -> Result<Vec<CrdDocument>, PrintCrds> {
    all_crds()
        .iter()
        .map(|crd| {
            let name = crd.metadata.name.clone().unwrap_or_default();
            let body = serde_saphyr::to_string(crd).map_err(|source| PrintCrds::Serialize {
                name: name.clone(),
                source,
            })?;
            Ok(CrdDocument {
                name,
                yaml: format!("{HEADER}{}\n", body.trim_end()),
            })
        })
        .collect()
}

/// Prints all definitions as one stream of YAML documents, for `kubectl apply --server-side -f -`.
pub fn print_crds(writer: &mut impl Write) -> Result<(), PrintCrds> {
    for document in crd_documents()? {
        writer.write_all(b"---\n").map_err(PrintCrds::Write)?;
        writer
            .write_all(document.yaml.as_bytes())
            .map_err(PrintCrds::Write)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// `make generate` sets this: the files are written instead of compared.
    const GENERATE: &str = "PENSTOCK_GENERATE";

    /// The folder for people and `kubectl`, and the chart's copy: Helm reads nothing outside a chart.
    const FOLDERS: [&str; 2] = ["crds", "charts/penstock/files/crds"];

    #[test]
    fn the_folders_hold_what_is_generated() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let documents: BTreeMap<_, _> = crd_documents()
            .unwrap()
            .into_iter()
            .map(|document| (format!("{}.yaml", document.name), document.yaml))
            .collect();
        for name in FOLDERS {
            let folder = root.join(name);
            if std::env::var_os(GENERATE).is_some() {
                for (file, yaml) in &documents {
                    std::fs::write(folder.join(file), yaml).unwrap();
                }
            }
            let held: BTreeSet<_> = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            assert!(
                held.iter().eq(documents.keys()),
                "{name} does not hold one file per type: it holds {held:?}"
            );
            for (file, yaml) in &documents {
                assert!(
                    std::fs::read_to_string(folder.join(file)).unwrap() == *yaml,
                    "{name}/{file} is not what the types say: run `make generate`"
                );
            }
        }
    }

    #[test]
    fn the_stream_holds_every_document_as_the_folder_does() {
        let mut stream = Vec::new();
        print_crds(&mut stream).unwrap();
        let stream = String::from_utf8(stream).unwrap();
        let expected: String = crd_documents()
            .unwrap()
            .iter()
            .map(|document| ["---\n", &document.yaml].concat())
            .collect();
        assert_eq!(stream, expected);
    }
}
