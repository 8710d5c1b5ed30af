//! The connection against a server that is as slow, as busy or as wordy as a case wants.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use http::{Request, Response};
use penstock_domain::fault::FaultClass;
use penstock_domain::names::NamespaceName;
use serde_json::Value;
use tower::service_fn;

use super::*;
use crate::kubernetes::request::{Address, Resource};

const SECRET: &str = r#"{"metadata": {"name": "a"}}"#;
const BUSY: &str = r#"{"kind": "Status", "reason": "TooManyRequests"}"#;

/// What the server saw.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    present: AtomicUsize,
    most: AtomicUsize,
}

/// A connection to a server that takes `delay` for each request and answers what `answer` says to its
/// number, from 0.
fn server(
    limits: ApiServerLimits,
    delay: Duration,
    answer: fn(usize) -> Response<String>,
) -> (ApiServer, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let service = service_fn({
        let seen = Arc::clone(&seen);
        move |_: Request<Body>| {
            let seen = Arc::clone(&seen);
            async move {
                let number = seen.requests.fetch_add(1, Ordering::SeqCst);
                let present = seen.present.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most.fetch_max(present, Ordering::SeqCst);
                tokio::time::sleep(delay).await;
                seen.present.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Infallible>(answer(number))
            }
        }
    });
    (
        ApiServer::new(Client::new(service, "default"), limits),
        seen,
    )
}

fn ok(body: impl Into<String>) -> Response<String> {
    Response::new(body.into())
}

fn busy(seconds: u64) -> Response<String> {
    Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(http::header::RETRY_AFTER, seconds)
        .body(BUSY.to_owned())
        .unwrap()
}

async fn get(api: &ApiServer) -> Result<Value, Failure> {
    let namespace = NamespaceName::new("prod").unwrap();
    api.call(&Call::get(Address {
        resource: Resource::Secret,
        namespace: &namespace,
        name: "a",
    }))
    .await
}

fn cause(outcome: Result<Value, Failure>) -> Cause {
    outcome.unwrap_err().cause
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_that_the_server_asks_for_is_kept_and_the_request_goes_again() {
    let (api, seen) = server(ApiServerLimits::default(), Duration::ZERO, |number| {
        if number < 2 { busy(2) } else { ok(SECRET) }
    });
    let start = Instant::now();
    assert!(get(&api).await.is_ok());
    assert_eq!(seen.requests.load(Ordering::SeqCst), 3);
    assert!(start.elapsed() >= Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_busy_is_left_to_the_caller_with_its_wish() {
    let (api, seen) = server(ApiServerLimits::default(), Duration::ZERO, |_| busy(1));
    let fault = get(&api).await.unwrap_err().fault("Secret a");
    assert_eq!(fault.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(seen.requests.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_the_callers_and_holds_back_everybody_for_a_moment() {
    let (api, seen) = server(ApiServerLimits::default(), Duration::ZERO, |number| {
        if number == 0 { busy(60) } else { ok(SECRET) }
    });
    let start = Instant::now();
    let fault = get(&api).await.unwrap_err().fault("Secret a");
    assert_eq!(fault.retry_after(), Some(Duration::from_mins(1)));
    assert_eq!(seen.requests.load(Ordering::SeqCst), 1);
    assert!(get(&api.clone()).await.is_ok());
    assert!(start.elapsed() >= MAX_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_the_limit_are_in_flight() {
    let limits = ApiServerLimits {
        in_flight: 3,
        ..ApiServerLimits::default()
    };
    let (api, seen) = server(limits, Duration::from_secs(1), |_| ok(SECRET));
    let outcomes = join_all((0..20).map(|_| get(&api))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(seen.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_in_time_is_unavailable() {
    let hour = Duration::from_hours(1);
    let (api, _) = server(ApiServerLimits::default(), hour, |_| ok(SECRET));
    let failure = get(&api).await.unwrap_err();
    assert_eq!(failure.cause, Cause::AwaitAnswer);
    assert_eq!(failure.fault("Secret a").class, FaultClass::Unavailable);
}

#[tokio::test]
async fn an_answer_is_cut_off_at_the_bound() {
    let (api, _) = server(ApiServerLimits::default(), Duration::ZERO, |_| {
        ok("x".repeat(MAX_ANSWER_BYTES + 1))
    });
    assert_eq!(cause(get(&api).await), Cause::BoundAnswer);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_unavailable_and_not_quoted() {
    let (api, _) = server(ApiServerLimits::default(), Duration::ZERO, |_| {
        ok("hunter2")
    });
    let failure = get(&api).await.unwrap_err();
    let fault = failure.fault("Secret a");
    assert_eq!(fault.class, FaultClass::Unavailable);
    let told = format!("{failure} {failure:?} {fault} {fault:?}");
    assert!(!told.contains("hunter2"), "{told}");
}
