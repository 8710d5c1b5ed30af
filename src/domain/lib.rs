//! The inside of Penstock: words, rules and decisions, without network, clock, environment or runtime.
//!
//! This page is the architecture of the whole project; each room has a short README of its own.
//!
//! # One way through
//!
//! ```text
//!  SecretSync ──► admit ──► gather ──► render ──► pre-flight ──► choose ──► observe ──► plan ──► apply ──► roll out ──► report
//!                 pure       I/O        pure       I/O            pure       I/O        pure      I/O        I/O         pure
//! ```
//!
//! | step | module | what it decides or does |
//! |---|---|---|
//! | admit | [`admit`] | every problem of a spec at once; after it, [`sync::ValidatedSync`] holds no contradiction |
//! | gather | [`engine`] | reads the sources in parallel through [`ports::Sources`] |
//! | render | [`render`] | merge, rename, transform: a [`bundle::Bundle`] and what each target takes of it |
//! | choose | [`content`] | what was read, what the record keeps, or nothing: two complete reads before a key leaves |
//! | pre-flight | [`validate`] | whether the candidate's values work; a rejected one stays rejected |
//! | observe | [`engine`] | looks at targets that a watch does not already prove untouched |
//! | plan | [`diff`], [`plan`] | one verdict per key; guards that make a plan wait for a person |
//! | apply | [`engine`] | the record first (with the intent), then the targets, destruction last |
//! | roll out | [`restart`] | markers on pod templates, once per change, watched until workloads are healthy |
//! | report | [`report`] | conditions in the meaning of kstatus, events; equal to the old status when nothing happened |
//!
//! [`engine::Engine::pass`] is that line as code. It has one seam: [`engine::Engine::prepare`] only looks, up to
//! the plan, and [`engine::Engine::carry_out`] writes. The operator and the command line run the same two halves
//! with other ports; `penstock plan` stops at the seam.
//!
//! # Rooms
//!
//! | room | knows | never |
//! |---|---|---|
//! | `domain` | this page | network, clock, environment, a Kubernetes client, a runtime |
//! | `adapters` | one folder per outside system, one registry | the controller, the command line |
//! | `controller` | watches, queue, leases, status | any vault |
//! | `cli` | verbs, output | any vault |
//! | `observability` | logs, metrics, audit, probes | all else |
//!
//! The members' `Cargo.toml` make the arrows; `tests/architecture.rs` asserts them.
//!
//! # What is remembered, and where
//!
//! * The **record** ([`record`]): one sealed Secret beside the sync. Revisions with their values, what we own at
//!   each target, restarts that are intended, approvals that were used. Written *before* a target is.
//! * The **status**: confirms that a write happened (`uid`, `resourceVersion`, revision of each target, the
//!   record's counter). An intent is open until status confirms it; this saves a second write of the record.
//! * **Memory** ([`engine::Memory`]): what one process knows between passes (when to read again, which keys the
//!   last complete read lacked). Losing it costs a read and starts counts anew, never content.
//!
//! # Decisions that this code adds to the design
//!
//! * *A removal is confirmed before anything is written.* The first complete read that lacks a key changes
//!   nothing at all; the read that confirms it applies the removal and whatever came with it as one change. So a
//!   renamed key is one restart, not two.
//! * *An incomplete read carries every missing key over* (`onUnavailable: useOthers`).
//! * *A spec edit that drops a target* removes what it left behind only where the target said
//!   `onDelete: delete`; the new object is always written before the old one goes.
//! * *Restarts are intended in the save that allows the write.* Whoever dies between the two, the next process
//!   finds both. A marker is `<key id>-<hash of what the workload uses>.<attempt>`, in one annotation per sync
//!   (`penstock.dev/content-<sync>`), so that a change of two targets of one sync is one restart.
//! * *A version that goes back waits for an approval* (`VersionWentBack`), because a store that was restored
//!   from a backup on purpose must have a way on.
//! * *An empty first answer makes no empty Secret*: pods would start without what they wait for.
//! * *A record outlives its SecretSync*, unless a target said `onDelete: delete`. Whatever deletes SecretSyncs
//!   without meaning it (a definition that goes, a restore, a GitOps tool that lost its way) must find values,
//!   ownership and counters again when they come back, so nothing owns a record, and only the finalizer's
//!   clean-up deletes one. What is left beside no sync is one sealed Secret with the label
//!   `penstock.dev/record`; its values age out no further, so who is sure deletes it by hand.
//! * *A ClusterSecretSync stamps and never deletes.* A namespace that leaves keeps its SecretSync, which goes on
//!   as if a person had made it, and so do all when the ClusterSecretSync goes. So the set needs no guard of its
//!   own: each SecretSync guards what it holds, with the access of its own namespace. What stands under the name
//!   without `penstock.dev/stamped-by` is somebody else's and stays as it is.
//! * *Pre-flight judges what was read, not what is in use.* The content in use has passed, so a refresh asks nobody;
//!   a rejection is saved before anything else happens and names the rules it was given under, so that neither a
//!   restart nor the content's return asks again. While a candidate is held the sync goes on with what it has: a
//!   hand edit is repaired all the same. `plan` asks, too: a plan that would be refused is not a plan. A key that
//!   is absent is not judged; `require` says what must be there.
//! * *A change that may not be written yet is held back before the plan* ([`engine`]'s gate: windows, then the canary,
//!   then a person), and what is in use is planned in its place: a hand edit is repaired while a change waits for Monday.
//!   The change itself lies in memory only, so that an unproven value is stored nowhere; who takes over reads again, and
//!   finds the canary by the names of its objects. A first content has nobody to harm and waits for an approval alone.
//! * *What a workload did not survive is rejected, and the old values come from the record*: one save rejects the one and
//!   puts the other in its place, and the next pass writes it back like any change. Only workloads that were marked for
//!   the bad value, or had a pod start while it was there, are restarted. Pods are looked at when a restart takes its
//!   time; crashes and pods that run without getting ready are the content's, all else is the cluster's and rejects
//!   nothing, and what was unwell before says nothing.
//! * *One goes back only to what was well everywhere.* A change that comes in the middle of a rollout keeps the revision
//!   before both as the one to go back to; what never got everywhere is not kept as good.
//! * *What people ask about revisions are states, not commands*: `penstock.dev/pin` holds for as long as it stands there,
//!   so that nothing has to be acknowledged, and GitOps can own it.
//! * *A canary of mode `workload` is the first wave*: the user's own workload runs on the written target, so it orders
//!   and does not shield.
//! * *A file on a host is a target in a store `ssh`*, and no kind of target of its own: whom to log in to, and the key
//!   that the host must show, stand in a store, so that `--trusted-stores` holds for hosts as for every other
//!   address, and `doctor` tries them. `options.ssh` says that the target is one file. A command after a change is an
//!   action (`then: [{command: …}]`) of such a target, and owed on the host itself (a file beside the target) from the
//!   step before the change until it has ended well.
//! * *Hosts are reached by SFTP, through russh, with a client for SFTP of our own*: no shell is needed and nothing is
//!   quoted; the crate beside russh has no rename that replaces, and doubles three dependencies. RSA keys are not
//!   spoken: the only implementation at hand is known to leak by its timing (RUSTSEC-2023-0071).
//! * *One replica works, the others wait*, so the limits of a store hold for the whole installation and are not
//!   divided. Shards, and limits divided by their number, come with the issue that lets replicas share the work.
//! * *A plan of a stranger's documents tells nothing about values* (`--trusted-stores`). A validator, a template
//!   with a condition, a value that is taken apart into keys, `adopt: ifEqual`: each would answer a question about a
//!   value by what fails, what is absent or what a key is called. Only templates that put keys together are taken,
//!   and no hashes are shown.
//! * *Rendering is pure, and who calls chooses the thread*: templates that hash passwords are handed to
//!   [`ports::Offload`], which does one at a time where nobody waits; all else is rendered on the spot.
//! * *No SDK of a cloud where its protocol is small.* The service crates of AWS bring an HTTP stack that would go past
//!   the egress policy, the bounds of answers and the redaction, and megabytes of code against a budget of 25 MiB.
//!   Requests go through the one HTTP layer, signed by some hundred lines of our own that Amazon's test vectors
//!   prove.
//! * *A folder that a cloud does not know as one is never missing.* AWS has names, not folders: nothing below a
//!   path is a complete answer, and the guards against removals hold for it as for every other.
//! * *The operator's own identity at a cloud is behind one gate* (`http::ambient` of the adapters): variables,
//!   token files and metadata services of the process are asked through a grant that only a ClusterSecretStore
//!   with `identity: operator` gets. Their addresses are constants or stand in the process's own environment,
//!   and each client of one reaches exactly that address. The policy of stores is unchanged: it refuses them.
//! * *No cloud's SDK.* They bring HTTP stacks of their own, past the egress policy, the bounds and the redaction of the
//!   one HTTP layer, and megabytes of code against a budget of 25 MiB. What is needed of a cloud is a few requests.
//! * *What is there and cannot be used is no deletion*: a disabled version, an expired secret fail the folder that they
//!   lie in, unless the source says that they count as deleted (`unusable: leaveOut`).
//! * *Stores without folders have a separator in names* (`shop--DB_URL`), and a name has one path however it is
//!   written, so that what an `allow` entry holds is decided by what is read.
//! * *A canary is named by sync and revision, and made as its workload is now.* A template that changes, a spec that
//!   gives another content, a hand on the canary: each begins the trial anew. What a canary overrides, and which
//!   CronJob may be run, the workload and the CronJob say themselves.
//! * *A canary that uses none of the targets is refused*: it would pass whatever the values are.
//! * *The deadline of a canary runs from its first container*, not from when a node took it: images and volumes are the
//!   cluster's. A file that the revision lacks is told at once, because a kubelet would wait for it for ever.
//! * *`app.kubernetes.io/instance` is no tracking on a pod*: Argo CD tracks by it only what nobody owns, and with
//!   `labels: keep` NetworkPolicies of Helm charts select by it. The Deployment of a canary has our labels alone.
//! * *Rollouts of Argo with a template of their own are cloned, those of Flagger and with `workloadRef` refused*, until
//!   they can be handed over.
//! * *What a store tells by itself is a hint, whoever tells it.* A signed webhook, a notification of PostgreSQL, an
//!   event stream come in at one place (`StoreHints` of the controller, through [`stores::StoreNotices`]): the first
//!   reads at once, those within five seconds are gathered into one more read per store. A listener that comes back
//!   tells as if something had changed, because nobody keeps what was told meanwhile.
//! * *A database shows no rows in two ways.* Where row-level security is active for the role, no row is a failure: the
//!   server hides what may not be seen and says nothing. Where it is not, an empty table of keys is a complete answer;
//!   whoever names a row, a key or a query expects one.
//! * *TLS to a database is verified in full, whatever its URL says* (`sslmode=require` too). Only the spec's `tls` or
//!   `sslmode=disable` weakens it, and both go only to addresses that the administrator lists for plain text.
//! * *A query's parameters are its remote name*: what a caller chooses by is what `keyPrefixes` must allow it.
//! * *A lost record is rebuilt from what is provably ours*: our owner tag, or the uid in status. Keys that are
//!   not in the content are then nobody's and stay.

pub mod admit;
pub mod api;
pub mod audit;
pub mod bundle;
pub mod canary;
pub mod checkup;
pub mod conditions;
pub mod content;
pub mod diff;
pub mod engine;
pub mod fault;
pub mod formats;
pub mod hooks;
pub mod items;
pub mod keys;
pub mod names;
pub mod people;
pub mod plan;
pub mod ports;
pub mod record;
pub mod render;
pub mod report;
pub mod reserved;
pub mod restart;
pub mod rollout;
pub mod schedule;
pub mod secret;
pub mod stores;
pub mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod validate;
pub mod workload;
