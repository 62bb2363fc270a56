"""Brings what `make package` made to AWS Lambda and sees that it works: aws.py STACK [NAME=VALUE]...

The rest are parameters of template.yaml. AWS_PROFILE and AWS_REGION say where, as for any tool of AWS; DEPLOY_FLAGS are more
flags for `sam deploy`. When the stack is there, deploy/smoke tries it out; whatever fails from then on, callers get the version
from before again.
"""

import hashlib
import os
import secrets
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack

from aws_sdk import PROJECT  # first: it says where the others are
import boto3
from botocore.exceptions import BotoCoreError, ClientError
from sign import signing

ALIAS = "live"


def say(words):
    print(f"deploy: {words}", flush=True)


def fault(words):
    sys.exit(f"deploy: {words}")


def account(session):
    """Who is asking, or what to do so that somebody is."""
    if not session.region_name:
        fault("no region is set: AWS_REGION=eu-central-1, or `aws configure set region eu-central-1`")
    try:
        return session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        fault(f"AWS does not know who you are: log in with `aws configure sso` or `aws login`, or set AWS_PROFILE ({error})")


class Stack:
    def __init__(self, session, name):
        self.session, self.name = session, name
        self.formation, self.lambda_ = session.client("cloudformation"), session.client("lambda")
        self.outputs, self.parameters, self.is_there = {}, {}, False

    def look(self):
        """Reads what the stack consists of; nothing, if there is none."""
        try:
            stack = self.formation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return
            raise
        self.is_there = True
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        self.parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}

    @property
    def function(self):
        """The function's name, without its alias."""
        arn = self.outputs.get("Function")
        return arn and arn.split(":")[6]

    def version(self):
        """What callers get, or None before there is something."""
        if not self.function:
            return None
        return self.lambda_.get_alias(FunctionName=self.function, Name=ALIAS)["FunctionVersion"]

    def give(self, version):
        self.lambda_.update_alias(FunctionName=self.function, Name=ALIAS, FunctionVersion=version)

    def deploy(self, parameters, flags):
        command = ["sam", "deploy", "--stack-name", self.name, "--region", self.session.region_name, *flags]
        if not any(flag.partition("=")[0] == "--s3-bucket" for flag in flags):
            command.append("--resolve-s3")  # a bucket that sam makes and keeps
        if not self.is_there:
            # What is left of a first deployment that failed could not be deployed again.
            command += ["--on-failure", "DELETE"]
        if subprocess.run([*command, "--parameter-overrides", *parameters], cwd=PROJECT).returncode != 0:
            fault("sam could not deploy. Where there was a stack, CloudFormation has put it back")
        self.look()

    def url(self):
        """Where HTTP requests go, and the name of the service that IAM knows it by."""
        for output, service in [("HttpUrl", "execute-api"), ("RestUrl", "execute-api"), ("FunctionUrl", "lambda")]:
            if output in self.outputs:
                return self.outputs[output].rstrip("/"), service
        return None, None

    def rest_key(self):
        key = self.outputs.get("RestKey")
        return key and self.session.client("apigateway").get_api_key(apiKey=key, includeValue=True)["value"]


def new_key():
    """A key for this deployment alone, and what the service is told of it."""
    key = secrets.token_urlsafe(24)
    return key, f"deployment:{hashlib.sha256(key.encode()).hexdigest()}"


def holds(stack, key):
    """Whether it does what it should. Attacks are direct invocations, since no API in between then answers for itself."""
    region, (url, service) = stack.session.region_name, stack.url()
    tenant = {"X-Amz-Tenant-Id": "smoke"} if stack.parameters.get("TenantIsolation") == "PER_TENANT" else {}
    function = f"{stack.lambda_.meta.endpoint_url}/2015-03-31/functions/{stack.function}:{ALIAS}"
    with ExitStack() as proxies:
        attacked = proxies.enter_context(signing(function, "lambda", region, tenant, ("POST", "/invocations")))
        variables = {
            **os.environ,
            "EXECUTOR_API_KEY": stack.rest_key() or key,
            "ATTACK_URL": f"{attacked}/invocations",
            "ATTACK_FLAGS": f"--lambda {os.environ.get('ATTACK_FLAGS', '')}",
        }
        if url:
            wants_signature = stack.parameters.get("Authorization") == "AWS_IAM"
            url = proxies.enter_context(signing(url, service if wants_signature else None, region))
        return subprocess.run(["deploy/smoke", *([url] if url else [])], cwd=PROJECT, env=variables).returncode == 0


def try_out(stack, key, before):
    """Ends with the version from before, unless it does what it should, also if it is interrupted."""
    good = False
    try:
        # CloudFormation does not know what was put back by hand.
        wanted = stack.outputs["Version"].split(":")[-1]
        if stack.version() != wanted:
            stack.give(wanted)
        good = holds(stack, key)
    finally:
        if not good and before is not None:
            stack.give(before)
            say(f"callers get version {before} again. Parameters and the API stay as they were deployed")
    if not good:
        end = "" if before else f". There is no version from before; `sam delete --stack-name {stack.name}` takes it away"
        fault(f"it does not do what it should (see above){end}")


def tell(stack):
    url, service = stack.url()
    if url is None:
        say(f"done. aws lambda invoke --function-name {stack.function} --qualifier {ALIAS} ... runs scripts")
        return
    say("done. To run a script:")
    print()
    if stack.parameters.get("Authorization") == "AWS_IAM":
        print('  eval "$(aws configure export-credentials --format env)"')
    if "RestKey" in stack.outputs:
        key = f"aws apigateway get-api-key --include-value --query value --output text --api-key {stack.outputs['RestKey']}"
        print(f"  KEY=$({key} --region {stack.session.region_name})")
    print(f"  curl {url}/execute -H 'content-type: application/json' \\")
    if stack.parameters.get("Authorization") == "AWS_IAM":
        print(f'    --aws-sigv4 "aws:amz:{stack.session.region_name}:{service}" \\')
        print('    --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" \\')
    if "RestKey" in stack.outputs or "ServiceKeys" in stack.outputs:
        print('    -H "x-api-key: $KEY" \\')
    print("""    -d '{"script": "def main():\\n    print(\\"hello\\")\\n    return 2 + 3"}'""")


def main(name, parameters):
    if len({each.partition("=")[0] for each in parameters}) < len(parameters):
        fault(f"a parameter is there twice (the architecture is that of `make package`): {' '.join(parameters)}")
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    say(f"stack {name} in {session.region_name}, account {account(session)}")
    stack = Stack(session, name)
    stack.look()
    before = stack.version()
    key, digest = new_key()
    own = [f"Release={secrets.token_hex(5)}", f"DeploymentKey={digest}"]
    stack.deploy([*parameters, *own], shlex.split(os.environ.get("DEPLOY_FLAGS", "")))
    try_out(stack, key, before)
    tell(stack)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("deploy: ended by a signal"))
    try:
        main(sys.argv[1], sys.argv[2:])
    except (BotoCoreError, ClientError) as error:
        fault(str(error))
