import sys

from onepasswordconnectsdk.client import new_client
from onepasswordconnectsdk.errors import (
    FailedToRetrieveItemException,
    FailedToRetrieveVaultException,
)

address, token, vault = sys.argv[1:]


def refused(what, kind):
    try:
        what()
    except kind:
        return
    raise AssertionError(f"expected {kind}")


client = new_client(address, token)
assert [one.name for one in client.get_vaults()] == ["infra"]
assert client.get_vault(vault).name == "infra"
assert client.get_vault_by_title("infra").id == vault
titles = [item.title for item in client.get_items(vault)]
assert titles == ["db"], titles
item = client.get_item("db", "infra")
fields = {field.label: field for field in item.fields}
assert fields["username"].value == "shop"
assert fields["password"].value == "p\n"
assert fields["notesPlain"].value is None
sections = {section.id: section.label for section in item.sections}
assert sections[fields["password"].section.id] == "prod", sections
assert item.tags == ["api"] and item.version == 1
assert client.get_item_by_id(item.id, vault).title == "db"

refused(lambda: client.get_item("never", "infra"), FailedToRetrieveItemException)
stranger = new_client(address, "wrong")
refused(stranger.get_vaults, FailedToRetrieveVaultException)
print("done")
