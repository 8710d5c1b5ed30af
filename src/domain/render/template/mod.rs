//! Templates: MiniJinja without anything in it, plus the pure functions below and nothing else.
//!
//! **What a template sees.** Every merged key is a variable of its name: `{{ DB_USER }}`. `keys` is the map
//! of all of them, for names that are no identifiers (`{{ keys["a-b"] }}`) and for loops
//! (`{% for name, value in keys | items %}`); a key that is itself called `keys` is `keys["keys"]`.
//! Templates see merged keys only, never what other templates make: their order means nothing.
//!
//! **Absent keys** are errors that name the key, wherever one is printed, compared as text or handed to a
//! filter. `is defined` and `default("…")` may ask for any. A key listed in `transform.optional` may also be
//! asked by `{% if KEY %}`; and what prints one that is absent is absent itself: half of it would be worse.
//!
//! **Filters.** Text: `default`, `indent(width)`, `join(sep)`, `length`, `lines`, `lower`, `quote` (one word
//! for a POSIX shell), `replace(old, new)`, `split(sep)`, `trim`, `upper`, `urlencode` (everything but
//! `A-Za-z0-9-._~`, slashes too). Lists and maps: `first`, `items`, `last`. Encodings: `b64encode`,
//! `b64decode`, `b64urlencode`, `b64urldecode`, `json` (any value as JSON), `fromjson`. Hashes: `sha256`
//! (hexadecimal), `bcrypt(cost=10)`, `htpasswd("user", cost=10)`; their salts derive from installation key, user
//! and password, so that equal input gives equal output. PEM: `pem("LABEL")` (the blocks of that label),
//! `pem_leaf` (the first certificate), `pem_chain` (the certificates after it), `pem_private_key`.
//!
//! **Tests.** `defined`, `undefined`, `none`, `startingwith`, `endingwith`. There are no functions, no
//! methods, no includes and no macros.
//!
//! The final newline of a template is kept. A value that is no UTF-8 can be handed to `b64encode`,
//! `b64urlencode`, `sha256`, `json` never; anywhere else it is refused by the name of its key.

mod bcrypt;
mod context;
mod engine;
mod filters;
mod names;

pub(super) use engine::{Engine, RenderTemplate, Rendered};
pub use engine::{MAX_OUTPUT_BYTES, TemplateProblem, check_template};
pub(super) use filters::names_hash;
