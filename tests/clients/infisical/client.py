import sys

from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

host = sys.argv[1]
place = {"project_id": "p-1", "environment_slug": "prod", "secret_path": "/app"}


def refused(what, status):
    try:
        what()
    except APIError as error:
        assert error.status_code == status, (error.status_code, status)
    else:
        raise AssertionError(f"expected {status}")


client = InfisicalSDKClient(host=host, cache_ttl=None)
refused(lambda: client.auth.universal_auth.login("client-1", "wrong"), 401)
client.auth.universal_auth.login("client-1", "secret-1")

listed = client.secrets.list_secrets(**place)
values = {secret.secretKey: secret.secretValue for secret in listed.secrets}
assert values == {"DB_URL": "postgres://db", "HOST": "db"}, values
plain = client.secrets.list_secrets(**place, expand_secret_references=False)
assert plain.secrets[0].secretValue == "postgres://${HOST}"
tagged = client.secrets.list_secrets(**place, tag_filters=["api"])
assert [secret.secretKey for secret in tagged.secrets] == ["HOST"]
deep = client.secrets.list_secrets(**place, recursive=True)
assert [secret.secretKey for secret in deep.secrets] == ["DB_URL", "HOST", "DEEP"]
masked = client.secrets.list_secrets(**place, view_secret_value=False)
assert {secret.secretValue for secret in masked.secrets} == {"<hidden-by-infisical>"}
by_slug = client.secrets.list_secrets(
    project_slug="demo", environment_slug="prod", secret_path="/app"
)
assert len(by_slug.secrets) == 2

client.secrets.create_secret_by_name("NEW", secret_value=" one\n", **place)
assert client.secrets.get_secret_by_name("NEW", **place).secretValue == "one\n"
refused(lambda: client.secrets.create_secret_by_name("NEW", secret_value="x", **place), 400)
client.secrets.update_secret_by_name("NEW", secret_value="two", **place)
second = client.secrets.get_secret_by_name("NEW", **place)
assert (second.secretValue, second.version) == ("two", 2)
first = client.secrets.get_secret_by_name("NEW", version="1", **place)
assert (first.secretValue, first.version) == ("one\n", 1)
client.secrets.update_secret_by_name(
    "NEW", secret_value="three", new_secret_name="RENAMED", **place
)
refused(lambda: client.secrets.get_secret_by_name("NEW", **place), 404)
client.secrets.create_secret_by_name("GONE", secret_value="x", **place)
client.secrets.delete_secret_by_name("GONE", **place)
refused(lambda: client.secrets.get_secret_by_name("GONE", **place), 404)

client.folders.create_folder("fresh", "prod", "p-1", "/app")
folders = client.folders.list_folders("p-1", "prod", "/app")
assert sorted(folder.name for folder in folders.folders) == ["fresh", "sub"]

stranger = InfisicalSDKClient(host=host, token="ey.J.x", cache_ttl=None)
refused(lambda: stranger.secrets.list_secrets(**place), 401)
print("done")
