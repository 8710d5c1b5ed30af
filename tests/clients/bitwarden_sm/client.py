import os
import sys

address, authority, token, organization, project = sys.argv[1:]
os.environ["SSL_CERT_FILE"] = authority

from bitwarden_sdk import BitwardenClient, DeviceType, client_settings_from_dict


def client():
    return BitwardenClient(
        client_settings_from_dict(
            {
                "apiUrl": address + "/api",
                "identityUrl": address + "/identity",
                "deviceType": DeviceType.SDK,
                "userAgent": "penstock-test",
            }
        )
    )


def refused(what):
    try:
        what()
    except Exception as error:
        return str(error)
    raise AssertionError("expected a refusal")


wrong = token.split(":")[0][:-1] + "x:" + token.split(":")[1]
refused(lambda: client().auth().login_access_token(wrong))

bws = client()
bws.auth().login_access_token(token)
listed = bws.secrets().list(organization).data.data
assert [secret.key for secret in listed] == ["DB_URL"], listed
first = bws.secrets().get(listed[0].id).data
assert (first.value, first.note) == ("postgres://db\n", "a note"), first
projects = bws.projects().list(organization).data.data
assert [project.name for project in projects] == ["shop"], projects

made = bws.secrets().create(organization, "NEW", "one\n", "", [project]).data
both = bws.secrets().get_by_ids([first.id, made.id]).data.data
assert sorted(secret.value for secret in both) == ["one\n", "postgres://db\n"], both
bws.secrets().update(organization, made.id, "RENAMED", "two", "", [project])
again = bws.secrets().get(made.id).data
assert (again.key, again.value) == ("RENAMED", "two"), again
synced = bws.secrets().sync(organization, None).data
assert synced.has_changes and len(synced.secrets) == 2, synced
missing = "00000000-0000-4000-8000-000000000000"
assert "404" in refused(lambda: bws.secrets().get(missing)), "missing"
deleted = bws.secrets().delete([made.id]).data.data
assert [one.error for one in deleted] == [None], deleted
print("done")
