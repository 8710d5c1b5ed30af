import sys

from infisical_sdk import InfisicalSDKClient

place = {"project_id": "p-1", "environment_slug": "prod", "secret_path": "/fresh/deep"}
client = InfisicalSDKClient(host=sys.argv[1], cache_ttl=None)
client.auth.universal_auth.login("client-1", "secret-1")
found = {secret.secretKey: secret for secret in client.secrets.list_secrets(**place).secrets}
assert sorted(found) == ["NEXT", "PEM"], sorted(found)
assert found["PEM"].secretValue == "-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n"
assert (found["NEXT"].secretValue, found["NEXT"].version) == ("2", 2)
client.secrets.create_secret_by_name("THEIRS", secret_value="of the client", **place)
print("done")
