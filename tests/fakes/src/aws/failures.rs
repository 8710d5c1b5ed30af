//! The shapes of errors: JSON with `__type` and `Message`, XML with a `Code`.

use serde_json::json;

use crate::server::Reply;

/// A refusal, by its class.
pub(super) struct Failure {
    class: &'static str,
    status: u16,
}

impl Failure {
    pub(super) fn new(class: &'static str) -> Self {
        let status = if class.starts_with("Internal") {
            500
        } else {
            400
        };
        Self { class, status }
    }

    pub(super) fn json(&self) -> Reply {
        let body = json!({"__type": self.class, "Message": "The message of the service."});
        Reply::new(self.status, body.to_string())
            .header("content-type", "application/x-amz-json-1.1")
    }

    /// The Security Token Service calls some classes otherwise, and refuses with 403.
    pub(super) fn xml(&self) -> Reply {
        let (code, status) = match self.class {
            "UnrecognizedClientException" => ("InvalidClientTokenId", 403),
            "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
            "ExpiredTokenException" => ("ExpiredToken", 403),
            "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
            "AccessDeniedException" => ("AccessDenied", 403),
            other => (other, self.status),
        };
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>The message of the service.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
        );
        Reply::new(status, body).header("content-type", "text/xml")
    }
}
