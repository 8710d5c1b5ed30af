import sys

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import CertificateCredential, ClientSecretCredential
from azure.keyvault.secrets import SecretClient

address, folder, tenant, client_id = sys.argv[1:5]
verify = {"connection_verify": f"{folder}/ca.crt"}
authority = {"authority": address, "disable_instance_discovery": True, **verify}


def refused(what, error):
    try:
        what()
    except error as caught:
        return caught
    raise AssertionError(f"expected {error.__name__}")


def vault(credential):
    # The stand-in's address is not below the resource that its challenge names.
    return SecretClient(
        vault_url=address, credential=credential, verify_challenge_resource=False, retry_total=0, **verify
    )


wrong = ClientSecretCredential(tenant, client_id, "wrong", **authority)
refused(lambda: vault(wrong).get_secret("A"), ClientAuthenticationError)

# The library's own assertion, signed by the certificate's key.
certificate = CertificateCredential(tenant, client_id, f"{folder}/client.pem", **authority)
api = vault(certificate)
made = api.set_secret(
    "DB-URL", "postgres://db\n", tags={"env": "prod"}, content_type="text/plain"
)
assert (made.value, made.properties.tags) == ("postgres://db\n", {"env": "prod"})

api = vault(ClientSecretCredential(tenant, client_id, "secret-1", **authority))
first = api.get_secret("db-url")
assert first.value == "postgres://db\n" and first.name == "DB-URL", first.name
api.set_secret("DB-URL", "two")
assert api.get_secret("DB-URL").value == "two"
assert api.get_secret("DB-URL", first.properties.version).value == "postgres://db\n"
assert len(list(api.list_properties_of_secret_versions("DB-URL"))) == 2
refused(lambda: api.get_secret("never"), ResourceNotFoundError)
refused(lambda: api.set_secret("a_b", "x"), HttpResponseError)
refused(lambda: api.set_secret("large", "x" * (25 * 1024 + 1)), HttpResponseError)

for number in range(60):
    api.set_secret(f"many-{number:02}", "x")
names = [properties.name for properties in api.list_properties_of_secrets()]
assert len(names) == 61, len(names)

api.update_secret_properties("DB-URL", enabled=False)
disabled = refused(lambda: api.get_secret("DB-URL"), HttpResponseError)
assert disabled.status_code == 403, disabled.status_code
listed = {properties.name: properties.enabled for properties in api.list_properties_of_secrets()}
assert listed["DB-URL"] is False and listed["many-00"] is True

api.begin_delete_secret("many-00", _polling_interval=0).wait()
refused(lambda: api.get_secret("many-00"), ResourceNotFoundError)
refused(lambda: api.set_secret("many-00", "x"), ResourceExistsError)
api.begin_recover_deleted_secret("many-00", _polling_interval=0).wait()
assert api.get_secret("many-00").value == "x"
print("done")
