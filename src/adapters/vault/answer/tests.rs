use super::*;

/// A full envelope, as the servers send it.
fn envelope(data: &str) -> String {
    format!(
        r#"{{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":{data},"wrap_info":null,"warnings":null,"auth":null}}"#
    )
}

fn rejection(status: u16, body: &str) -> Rejection {
    data(status, body.as_bytes())
        .map(|data| data.get().to_owned())
        .unwrap_err()
}

fn versioned(data: &str, deletion_time: &str, destroyed: bool) -> String {
    envelope(&format!(
        r#"{{"data":{data},"metadata":{{"created_time":"2026-01-02T03:04:05.678901234Z","custom_metadata":{{"owner":"x"}},"deletion_time":"{deletion_time}","destroyed":{destroyed},"version":3}}}}"#
    ))
}

fn read_v2(body: &str) -> Result<Secret, Rejection> {
    secret_v2(data(200, body.as_bytes())?)
}

fn text<'a>(secret: &'a Secret, field: &str) -> &'a str {
    secret.fields[field].expose_text().unwrap()
}

#[test]
fn only_the_servers_own_shape_says_that_something_is_missing() {
    assert_eq!(rejection(404, r#"{"errors":[]}"#), Rejection::Missing);
    for body in [
        "",
        "404 page not found",
        "<html>not found</html>",
        "{}",
        "[]",
        "null",
        r#"{"errors":null}"#,
        r#"{"error":"not found"}"#,
        r#"{"data":null}"#,
    ] {
        assert_eq!(rejection(404, body), Rejection::Unbelievable(404), "{body}");
    }
}

#[test]
fn a_wrong_mount_is_not_a_missing_secret() {
    assert_eq!(
        rejection(
            404,
            r#"{"errors":["no handler for route \"nope/x\". route entry not found."]}"#
        ),
        Rejection::NoRoute
    );
    assert_eq!(rejection(404, &envelope("null")), Rejection::WrongEngine);
    assert_eq!(rejection(200, &envelope("null")), Rejection::WrongEngine);
    assert_eq!(
        rejection(405, r#"{"errors":["unsupported operation"]}"#),
        Rejection::WrongEngine
    );
}

#[test]
fn deleted_and_destroyed_versions_are_told_apart_from_missing_ones() {
    let deleted = versioned("null", "2026-02-02T00:00:00Z", false);
    assert_eq!(rejection(404, &deleted), Rejection::Deleted);
    assert_eq!(
        rejection(404, &versioned("null", "", true)),
        Rejection::Destroyed
    );
    assert_eq!(
        rejection(404, &versioned("null", "2026-02-02T00:00:00Z", true)),
        Rejection::Destroyed
    );
}

#[test]
fn a_version_that_will_be_deleted_is_still_there() {
    let secret = read_v2(&versioned(r#"{"a":"b"}"#, "2099-01-01T00:00:00Z", false)).unwrap();
    assert_eq!(text(&secret, "a"), "b");
}

#[test]
fn each_status_has_its_meaning() {
    for (status, expected) in [
        (400, Rejection::BadRequest),
        (403, Rejection::Denied),
        (412, Rejection::Stumbled(412)),
        (429, Rejection::Throttled(None)),
        (472, Rejection::Stumbled(472)),
        (500, Rejection::Stumbled(500)),
        (501, Rejection::NotInitialised),
        (502, Rejection::Stumbled(502)),
        (503, Rejection::Sealed),
        (504, Rejection::Stumbled(504)),
        (204, Rejection::Unbelievable(204)),
        (302, Rejection::Unbelievable(302)),
        (401, Rejection::Unbelievable(401)),
        (418, Rejection::Unbelievable(418)),
    ] {
        assert_eq!(
            rejection(status, r#"{"errors":["x"]}"#),
            expected,
            "{status}"
        );
        assert_eq!(rejection(status, "<html>"), expected, "{status}");
    }
}

#[test]
fn a_good_status_with_a_senseless_body_is_not_believed() {
    for body in [
        "",
        "<html>welcome to the airport</html>",
        "[]",
        "\"x\"",
        "{}",
        r#"{"data":{"a":"b"}}"#,
    ] {
        assert_eq!(rejection(200, body), Rejection::Unbelievable(200), "{body}");
    }
    let bottomless = envelope(&format!("{}{}", "[".repeat(200), "]".repeat(200)));
    assert_eq!(rejection(200, &bottomless), Rejection::Unbelievable(200));
}

#[test]
fn a_lease_is_never_read_as_a_secret() {
    let body = envelope(r#"{"username":"u","password":"p"}"#)
        .replace(r#""lease_id":"""#, r#""lease_id":"database/creds/app/x""#);
    assert_eq!(rejection(200, &body), Rejection::WrongEngine);
}

#[test]
fn an_empty_secret_is_a_complete_answer() {
    let secret = read_v2(&versioned("{}", "", false)).unwrap();
    assert!(secret.fields.is_empty());
    assert_eq!(secret.version, Some(3));
}

#[test]
fn half_a_secret_is_none() {
    for body in [
        versioned("null", "", false),
        versioned("[1]", "", false),
        versioned("\"x\"", "", false),
        envelope(r#"{"metadata":{"version":1}}"#),
        envelope(r#"{"data":{"a":"b"}}"#),
        envelope(r#"{"a":"b"}"#),
        envelope("{}"),
    ] {
        assert_eq!(read_v2(&body), Err(Rejection::WrongEngine), "{body}");
    }
}

#[test]
fn values_keep_their_bytes() {
    let body = versioned(
        r#"{"empty":"","newline":"a\n","unicode":"\u00fc\ud83d\ude00","null":null,"number":12345678901234567890123.4500,"yes":true,"nested":{"b": [1, "\u003cx\u003e"]}}"#,
        "",
        false,
    );
    let secret = read_v2(&body).unwrap();
    for (field, value) in [
        ("empty", ""),
        ("newline", "a\n"),
        ("unicode", "ü😀"),
        ("null", "null"),
        ("number", "12345678901234567890123.4500"),
        ("yes", "true"),
        ("nested", r#"{"b":[1,"<x>"]}"#),
    ] {
        assert_eq!(text(&secret, field), value);
    }
}

#[test]
fn custom_metadata_are_tags_with_and_without_their_value() {
    let secret = read_v2(&versioned("{}", "", false)).unwrap();
    assert_eq!(
        secret.tags,
        BTreeSet::from(["owner".to_owned(), "owner=x".to_owned()])
    );
}

#[test]
fn a_mount_says_what_it_is() {
    let read = |found: &str, at: &str| {
        let body = envelope(found);
        data(200, body.as_bytes()).and_then(|data| mount(data, at))
    };
    for (data, at, expected) in [
        (
            r#"{"path":"secret/","type":"kv","options":{"version":"2"}}"#,
            "secret",
            Mount::Kv(KvVersion::Two),
        ),
        (
            r#"{"path":"kv/","type":"kv","options":{"version":"1"}}"#,
            "kv",
            Mount::Kv(KvVersion::One),
        ),
        (
            r#"{"path":"kv/","type":"kv","options":{}}"#,
            "kv",
            Mount::Kv(KvVersion::One),
        ),
        (
            r#"{"path":"kv/","type":"kv","options":null}"#,
            "kv",
            Mount::Kv(KvVersion::One),
        ),
        (
            r#"{"path":"kv/","type":"generic"}"#,
            "kv",
            Mount::Kv(KvVersion::One),
        ),
        (
            r#"{"path":"kv/","type":"kv","options":{"version":"3"}}"#,
            "kv",
            Mount::Other,
        ),
        (
            r#"{"path":"secret/","type":"kv","options":{"version":"2"}}"#,
            "secret/apps",
            Mount::Above,
        ),
        (
            r#"{"path":"db/","type":"database","options":null}"#,
            "db",
            Mount::Other,
        ),
        (
            r#"{"path":"team/kv/","type":"kv","options":null}"#,
            "team/kv",
            Mount::Kv(KvVersion::One),
        ),
    ] {
        assert_eq!(read(data, at), Ok(expected), "{data}");
    }
    assert!(read(r#"{"type":"kv"}"#, "kv").is_err());
}
