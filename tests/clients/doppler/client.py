import sys

from dopplersdk import DopplerSDK

address, service, account = sys.argv[1:]


def client(token):
    sdk = DopplerSDK()
    sdk.set_base_url(address)
    sdk.set_access_token(token)
    return sdk


def refused(what, status):
    try:
        what()
    except Exception as error:
        found = getattr(error, "status_code", None) or getattr(
            getattr(error, "response", None), "status_code", None
        )
        assert found == status or str(status) in str(error), (error, status)
    else:
        raise AssertionError(f"expected {status}")


whoever = client(account)
assert whoever.auth.me().type_ == "service_account_api_token"
listed = whoever.secrets.list(project="shop", config="prd")
assert listed.secrets["DB_URL"]["computed"] == "postgres://", listed.secrets
assert listed.secrets["DOPPLER_CONFIG"]["computed"] == "prd"
one = whoever.secrets.get(project="shop", config="prd", name="API_KEY")
assert one.value["computed"] == "k\n", one.value
names = whoever.secrets.names(project="shop", config="prd")
assert sorted(names.names) == ["API_KEY", "DB_URL"], names.names
# The client's model of a download knows four names, those of an example: that it takes the answer is all it can say.
whole = whoever.secrets.download(project="shop", config="prd", format="json")
assert whole.DATABASE is None, vars(whole)

bound = client(service)
assert bound.auth.me().type_ == "service_token"
own = bound.secrets.get(project="shop", config="prd", name="API_KEY")
assert own.value["computed"] == "k\n", own.value

refused(lambda: whoever.secrets.list(project="shop", config="never"), 404)
refused(lambda: client("dp.st.wrong").secrets.list(project="shop", config="prd"), 401)
print("done")
