//! The store that a verb names, for verbs that work on one.

use penstock_domain::names::NamespaceName;
use penstock_domain::sync::{StoreKind, StoreReference};
use penstock_domain::text::nearest;

use super::invocation::{Ground, Invocation, ReadInvocation, texts};
use super::touches::follow_store;
use super::variables::Variables;
use crate::arguments::{InputArguments, StoreName};
use crate::documents::{Documents, Problem, Problems};

impl Invocation {
    /// Reads what `arguments` name for a verb that works on one store: SecretSyncs are left out.
    pub fn read_store(
        arguments: &InputArguments,
        process: Variables,
        name: &StoreName,
    ) -> Result<Self, ReadInvocation> {
        let (inputs, variables) = texts(arguments, process)?;
        let ground = Ground::of(arguments, &inputs)?;
        let at = Some(&arguments.namespace);
        let found = find(&ground.documents, at, name).map_err(Problems::from)?;
        let touches = follow_store(
            (&arguments.namespace, &found),
            &ground.documents,
            &ground.secrets,
            &ground.operator,
        );
        let touches = touches.map_err(Problems::from)?;
        Ok(ground.invocation(Vec::new(), variables, touches))
    }

    /// The store that a verb names.
    pub fn store(&self, name: &StoreName) -> Result<StoreReference, Problems> {
        Ok(find(&self.documents, None, name)?)
    }
}

/// The store of this name. A SecretStore must be in `namespace`, where one is given.
fn find(
    documents: &Documents,
    namespace: Option<&NamespaceName>,
    name: &StoreName,
) -> Result<StoreReference, Problem> {
    let near = |home: &NamespaceName, reference: &StoreReference| {
        reference.kind == StoreKind::Cluster || namespace.is_none_or(|namespace| home == namespace)
    };
    let known: Vec<&StoreReference> = documents
        .stores
        .keys()
        .filter(|(home, reference)| near(home, reference))
        .map(|(_, reference)| reference)
        .collect();
    let meant = |reference: &&&StoreReference| match name {
        StoreName::Plain(name) => reference.name == *name,
        StoreName::Of(of) => **reference == of,
    };
    let mut found: Vec<&StoreReference> = known.iter().filter(meant).copied().collect();
    found.dedup();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(unknown(name, &known)),
        _ => {
            let message = "is the name of a SecretStore and of a ClusterSecretStore";
            Err(Problem::new(None, text(name), message)
                .hint("Write `secretstore/NAME` or `clustersecretstore/NAME`"))
        }
    }
}

fn unknown(name: &StoreName, known: &[&StoreReference]) -> Problem {
    let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    let hint = match nearest(&text(name), names.iter().copied()) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None if names.is_empty() => {
            "There is no store: name the file that holds it by another `-f`, or its namespace"
                .to_owned()
        }
        None => format!("There are: {}", names.join(", ")),
    };
    let message = "is no store among the documents";
    Problem::new(None, text(name), message).hint(hint)
}

fn text(name: &StoreName) -> String {
    match name {
        StoreName::Plain(name) => name.to_string(),
        StoreName::Of(reference) => reference.to_string(),
    }
}
