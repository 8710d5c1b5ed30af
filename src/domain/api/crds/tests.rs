use super::*;

/// A client-side `kubectl apply` copies the whole object into one annotation, which the API server
/// limits to 256 KiB.
const ANNOTATION_LIMIT: usize = 256 * 1024;

#[test]
fn each_definition_fits_into_an_annotation() {
    for crd in all_crds() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(
            size < ANNOTATION_LIMIT,
            "{:?} is {size} bytes",
            crd.metadata.name
        );
    }
}
