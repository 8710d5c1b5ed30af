//! Cases about the running operator, each on a [`stage`](super::stage).

mod eso_matrix;
mod first_sync;
mod kills;
