import json
import os
import sys

address, folder = sys.argv[1:3]
os.environ["REQUESTS_CA_BUNDLE"] = f"{folder}/ca.crt"

from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth import identity_pool
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.cloud import secretmanager
from google.oauth2 import credentials, service_account

SCOPE = ["https://www.googleapis.com/auth/cloud-platform"]


def refused(what, error, status=None):
    try:
        what()
    except error as caught:
        # Over REST the library tells statuses of HTTP apart; the status of the API stands in the body.
        if status is not None:
            told = caught.response.json()["error"]["status"]
            assert told == status, told
        return
    raise AssertionError(f"expected {error.__name__}")


def client(token):
    return secretmanager.SecretManagerServiceClient(
        credentials=credentials.Credentials(token=token),
        transport="rest",
        client_options=ClientOptions(api_endpoint=address.removeprefix("https://")),
    )


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


# The library's own signature, and a wrong one.
with open(f"{folder}/key.json") as file:
    info = json.load(file)
key = service_account.Credentials.from_service_account_info(info, scopes=SCOPE)
key.refresh(Request())
wrong = service_account.Credentials.from_service_account_info(
    {**info, "private_key_id": "another"}, scopes=SCOPE
)
refused(lambda: wrong.refresh(Request()), RefreshError)

# Somebody else's token, and an impersonation.
pool = identity_pool.Credentials(
    audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
    subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    token_url=f"{address}/v1/token",
    credential_source={"file": f"{folder}/token"},
    service_account_impersonation_url=(
        f"{address}/v1/projects/-/serviceAccounts/{info['client_email']}:generateAccessToken"
    ),
    scopes=SCOPE,
)
pool.refresh(Request())
assert pool.token and pool.token != key.token
assert pool.expiry is not None

api = client(pool.token)
parent = "projects/shop"
made = api.create_secret(
    parent=parent,
    secret_id="NEW",
    secret={"replication": {"automatic": {}}, "labels": {"env": "prod"}},
)
assert made.name == "projects/123456789012/secrets/NEW", made.name
again = {"replication": {"automatic": {}}}
refused(
    lambda: api.create_secret(parent=parent, secret_id="NEW", secret=again),
    exceptions.Conflict,
    "ALREADY_EXISTS",
)
refused(
    lambda: api.create_secret(parent=parent, secret_id="a.b", secret=again),
    exceptions.BadRequest,
    "INVALID_ARGUMENT",
)
data = bytes(range(256))
name = f"{parent}/secrets/NEW"
version = api.add_secret_version(
    parent=name, payload={"data": data, "data_crc32c": crc32c(data)}
)
assert version.name.endswith("/versions/1")
refused(
    lambda: api.add_secret_version(parent=name, payload={"data": data, "data_crc32c": 1}),
    exceptions.BadRequest,
    "INVALID_ARGUMENT",
)
read = api.access_secret_version(name=f"{name}/versions/latest")
assert read.payload.data == data
assert read.payload.data_crc32c == crc32c(data)
assert [secret.labels["env"] for secret in api.list_secrets(parent=parent)] == ["prod"]
assert list(api.list_secrets(request={"parent": parent, "filter": "labels.env=dev"})) == []

api.add_secret_version(parent=name, payload={"data": b"two"})
api.disable_secret_version(name=f"{name}/versions/2")
refused(
    lambda: api.access_secret_version(name=f"{name}/versions/latest"),
    exceptions.BadRequest,
    "FAILED_PRECONDITION",
)
states = [version.state.name for version in api.list_secret_versions(parent=name)]
assert states == ["DISABLED", "ENABLED"], states
api.destroy_secret_version(name=f"{name}/versions/2")
refused(
    lambda: api.enable_secret_version(name=f"{name}/versions/2"),
    exceptions.BadRequest,
    "FAILED_PRECONDITION",
)
refused(
    lambda: api.access_secret_version(name=f"{parent}/secrets/OTHER/versions/1"),
    exceptions.NotFound,
    "NOT_FOUND",
)
refused(
    lambda: client("nobody").access_secret_version(name=f"{name}/versions/1"),
    exceptions.Unauthorized,
    "UNAUTHENTICATED",
)
print("done")
