//! What an absent field means, in numbers. The descriptions of the fields quote these.

use std::time::Duration;

/// `spec.interval` of a SecretSync.
pub const INTERVAL: Duration = Duration::from_mins(10);
/// The shortest `spec.interval` that the API server accepts.
pub const INTERVAL_MINIMUM: Duration = Duration::from_secs(10);
/// `spec.guards.maxDeletes`.
pub const MAX_DELETES: u32 = 10;
/// `spec.history.older`.
pub const HISTORY_OLDER: u32 = 2;
/// `spec.history.maxAge`: 30 days.
pub const HISTORY_MAX_AGE: Duration = Duration::from_hours(720);
/// `spec.forEach.maxItems`.
pub const FOR_EACH_MAX_ITEMS: u32 = 100;
/// `spec.rollout.deadline`.
pub const ROLLOUT_DEADLINE: Duration = Duration::from_mins(10);
/// `spec.rollout.budget.maxRestarts`.
pub const BUDGET_MAX_RESTARTS: u32 = 3;
/// `spec.rollout.budget.per`.
pub const BUDGET_PER: Duration = Duration::from_hours(1);
/// `spec.rollout.waves[].maxParallel`.
pub const WAVE_MAX_PARALLEL: u32 = 1;
/// `spec.rollout.strategy.canary.soak`.
pub const CANARY_SOAK: Duration = Duration::from_mins(2);
/// `spec.rollout.strategy.canary.deadline`.
pub const CANARY_DEADLINE: Duration = Duration::from_mins(5);
/// `timeout` of a validator or check.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// `every` of a check that repeats.
pub const CHECK_EVERY: Duration = Duration::from_secs(10);
/// `deadline` of a target's `healthCheck`.
pub const HEALTH_CHECK_DEADLINE: Duration = Duration::from_mins(5);
/// `timeout` of a command on a host.
pub const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);
/// `spec.targets[].cleanupGrace`.
pub const CLEANUP_GRACE: Duration = Duration::from_hours(1);
/// `spec.limits.concurrency` of a store; `requestsPerSecond` has no default.
pub const STORE_CONCURRENCY: u32 = 16;
/// `spec.limits.timeout` of a store.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(30);
/// `spec.overlap` of a SecretRotation.
pub const ROTATION_OVERLAP: Duration = Duration::from_hours(24);
