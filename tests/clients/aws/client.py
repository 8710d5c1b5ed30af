import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

address = sys.argv[1]
config = Config(retries={"max_attempts": 1})
ROLE = "arn:aws:iam::123456789012:role/reader"


def client(service, secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", key="AKIDEXAMPLE", token=None):
    return boto3.client(
        service,
        endpoint_url=address,
        region_name="eu-central-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


def refused(code, what, **arguments):
    try:
        what(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (error.response, code)
    else:
        raise AssertionError(f"expected {code}")


secrets = client("secretsmanager")
refused("InvalidSignatureException", client("secretsmanager", secret="wrong").list_secrets)
refused("UnrecognizedClientException", client("secretsmanager", key="AKIAOTHER").list_secrets)

made = secrets.create_secret(Name="app/a", SecretString="one", Tags=[{"Key": "env", "Value": "prod"}])
refused("ResourceExistsException", secrets.create_secret, Name="app/a", SecretString="two")
refused("InvalidParameterException", secrets.create_secret, Name="app/large", SecretString="x" * 65537)
secrets.put_secret_value(SecretId="app/a", SecretString="two")
secrets.create_secret(Name="app/b", SecretBinary=b"\x00\xff\n")
assert secrets.get_secret_value(SecretId="app/a")["SecretString"] == "two"
assert secrets.get_secret_value(SecretId=made["ARN"])["Name"] == "app/a"
assert secrets.get_secret_value(SecretId="app/a", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
assert secrets.get_secret_value(SecretId="app/a", VersionId=made["VersionId"])["SecretString"] == "one"
assert secrets.get_secret_value(SecretId="app/b")["SecretBinary"] == b"\x00\xff\n"
refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="app/never")
refused("AccessDeniedException", secrets.get_secret_value, SecretId="closed/x")

batch = secrets.batch_get_secret_value(SecretIdList=["app/a", "app/never", "closed/x"])
assert [value["Name"] for value in batch["SecretValues"]] == ["app/a"]
assert [error["ErrorCode"] for error in batch["Errors"]] == [
    "ResourceNotFoundException",
    "AccessDeniedException",
], batch["Errors"]

pages = secrets.get_paginator("list_secrets").paginate(
    Filters=[{"Key": "name", "Values": ["app/", "/app/"]}], PaginationConfig={"PageSize": 1}
)
listed = [secret for page in pages for secret in page["SecretList"]]
assert [secret["Name"] for secret in listed] == ["app/a", "app/b"], listed
assert listed[0]["Tags"] == [{"Key": "env", "Value": "prod"}]
stages = listed[0]["SecretVersionsToStages"]
assert sorted(stage for labels in stages.values() for stage in labels) == ["AWSCURRENT", "AWSPREVIOUS"]
refused("InvalidParameterException", secrets.delete_secret, SecretId="app/b", RecoveryWindowInDays=3)
secrets.delete_secret(SecretId="app/b")
refused("InvalidRequestException", secrets.get_secret_value, SecretId="app/b")

parameters = client("ssm")
parameters.put_parameter(Name="/app/db", Value="one", Type="SecureString")
refused("ParameterAlreadyExists", parameters.put_parameter, Name="/app/db", Value="x", Type="String")
refused("ValidationException", parameters.put_parameter, Name="/app/l", Value="x" * 4097, Type="String")
parameters.put_parameter(Name="/app/db", Value="two", Type="SecureString", Overwrite=True)
parameters.label_parameter_version(Name="/app/db", ParameterVersion=1, Labels=["stable"])
for number in range(12):
    parameters.put_parameter(Name=f"/app/sub/{number:02}", Value="v", Type="String")
for selector, value in [("/app/db", "two"), ("/app/db:1", "one"), ("/app/db:stable", "one")]:
    got = parameters.get_parameter(Name=selector, WithDecryption=True)["Parameter"]
    assert got["Value"] == value, (selector, got)
assert parameters.get_parameter(Name="/app/db")["Parameter"]["Value"] != "two"
refused("ParameterNotFound", parameters.get_parameter, Name="/app/never")
refused("ParameterVersionNotFound", parameters.get_parameter, Name="/app/db:9")
pages = parameters.get_paginator("get_parameters_by_path").paginate(
    Path="/app", Recursive=True, WithDecryption=True
)
assert sum(len(page["Parameters"]) for page in pages) == 13
labelled = parameters.get_parameters_by_path(
    Path="/app", ParameterFilters=[{"Key": "Label", "Option": "Equals", "Values": ["stable"]}]
)
assert [parameter["Version"] for parameter in labelled["Parameters"]] == [1]

tokens = client("sts")
refused("AccessDenied", tokens.assume_role, RoleArn=ROLE, RoleSessionName="judge")
tags = [{"Key": "team", "Value": "a b"}]
session = tokens.assume_role(RoleArn=ROLE, RoleSessionName="judge", ExternalId="w&rd", Tags=tags)
keys = session["Credentials"]
temporary = client("ssm", keys["SecretAccessKey"], keys["AccessKeyId"], keys["SessionToken"])
assert temporary.get_parameter(Name="/app/sub/00")["Parameter"]["Value"] == "v"
refused(
    "InvalidIdentityToken",
    tokens.assume_role_with_web_identity,
    RoleArn=ROLE,
    RoleSessionName="judge",
    WebIdentityToken="another",
)
web = tokens.assume_role_with_web_identity(
    RoleArn=ROLE, RoleSessionName="judge", WebIdentityToken="projected"
)
assert web["Credentials"]["SessionToken"]
print("done")
