//! Every file under `examples/` is one that the API server takes, unknown fields refused.

use std::fs;
use std::path::{Path, PathBuf};

use penstock_testbed::{Failure, Namespace};

use super::api::client_with_definitions;
use super::{Outcome, testbed};

/// The YAML files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn examples_are_taken_as_they_stand() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let namespace = Namespace::create(&client, "examples").await?;
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"))?;
    assert!(!files.is_empty());
    for file in files {
        let file = file.display().to_string();
        testbed
            .control_plane
            .kubectl(&[
                "apply",
                "--namespace",
                namespace.name(),
                "--dry-run=server",
                "--validate=strict",
                "--filename",
                &file,
            ])
            .await?;
    }
    Ok(())
}
