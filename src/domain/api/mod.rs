//! Wire types of `penstock.dev/v1alpha1`.
