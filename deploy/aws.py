"""Brings what `make package` made to AWS Lambda and sees that it works: aws.py STACK [NAME=VALUE]...

The rest are parameters of template.yaml. AWS_PROFILE and AWS_REGION say where, as for any tool of AWS; DEPLOY_FLAGS are more
flags for `sam deploy`. When the stack is there, deploy/smoke tries it out; if something fails, callers get the version from
before again. EXECUTOR_API_KEY is a key for the service, where it wants one.
"""

import os
import shlex
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
        self.outputs, self.parameters = {}, {}

    def look(self):
        """Reads what the stack consists of; nothing, if there is none."""
        try:
            stack = self.formation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return
            raise
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

    def put_back(self, version):
        self.lambda_.update_alias(FunctionName=self.function, Name=ALIAS, FunctionVersion=version)

    def deploy(self, parameters, flags):
        command = ["sam", "deploy", "--stack-name", self.name, "--region", self.session.region_name, *flags]
        if "--s3-bucket" not in flags:
            command.append("--resolve-s3")  # a bucket that sam makes and keeps
        if parameters:
            command += ["--parameter-overrides", *parameters]
        if subprocess.run(command, cwd=PROJECT).returncode != 0:
            fault("sam could not deploy. Where there was a stack, CloudFormation has put it back")
        self.look()

    def url(self):
        """Where HTTP requests go, and the name of the service that IAM knows it by."""
        for output, service in [("HttpUrl", "execute-api"), ("RestUrl", "execute-api"), ("FunctionUrl", "lambda")]:
            if output in self.outputs:
                return self.outputs[output].rstrip("/"), service
        return None, None

    def key(self):
        """What callers have to show besides their signature, if anything."""
        if key := self.outputs.get("RestKey"):
            return self.session.client("apigateway").get_api_key(apiKey=key, includeValue=True)["value"]
        return os.environ.get("EXECUTOR_API_KEY")


def holds(stack):
    """Whether it does what it should. Attacks are direct invocations, since no API in between then answers for itself."""
    region, (url, service) = stack.session.region_name, stack.url()
    tenant = {"X-Amz-Tenant-Id": "smoke"} if stack.parameters.get("TenantIsolation") == "PER_TENANT" else {}
    with ExitStack() as proxies:
        function = proxies.enter_context(signing(stack.lambda_.meta.endpoint_url, "lambda", region, tenant))
        invocations = f"{function}/2015-03-31/functions/{stack.function}:{ALIAS}/invocations"
        flags = f"--lambda {os.environ.get('ATTACK_FLAGS', '')}"
        variables = {**os.environ, "ATTACK_URL": invocations, "ATTACK_FLAGS": flags}
        if key := stack.key():
            variables["EXECUTOR_API_KEY"] = key
        if url:
            wants_signature = stack.parameters.get("Authorization") == "AWS_IAM"
            url = proxies.enter_context(signing(url, service if wants_signature else None, region))
        return subprocess.run(["deploy/smoke", *([url] if url else [])], cwd=PROJECT, env=variables).returncode == 0


def tell(stack):
    url, service = stack.url()
    if url is None:
        say(f"done. aws lambda invoke --function-name {stack.function} --qualifier {ALIAS} ... runs scripts")
        return
    say("done. To run a script:")
    print(f"  curl {url}/execute -H 'content-type: application/json' \\")
    if stack.parameters.get("Authorization") == "AWS_IAM":
        print(f'    --aws-sigv4 "aws:amz:{stack.session.region_name}:{service}" \\')
        print('    --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" \\')
    if "RestKey" in stack.outputs:
        key = f"aws apigateway get-api-key --include-value --query value --output text --api-key {stack.outputs['RestKey']}"
        print(f'    -H "x-api-key: $({key})" \\')
    elif os.environ.get("EXECUTOR_API_KEY"):
        print('    -H "x-api-key: $EXECUTOR_API_KEY" \\')
    print("""    -d '{"script": "def main():\\n    print(\\"hello\\")\\n    return 2 + 3"}'""")


def main(name, parameters):
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    say(f"stack {name} in {session.region_name}, account {account(session)}")
    if any(each.startswith("ApiKeys=") for each in parameters) and not os.environ.get("EXECUTOR_API_KEY"):
        fault("the service will want an API key: EXECUTOR_API_KEY=... lets it be tried out")
    stack = Stack(session, name)
    stack.look()
    before = stack.version()
    stack.deploy(parameters, shlex.split(os.environ.get("DEPLOY_FLAGS", "")))
    if holds(stack):
        tell(stack)
    elif before is None:
        fault("it does not do what it should (see above). There is no version from before; `sam delete` takes it away")
    else:
        stack.put_back(before)
        fault(f"it does not do what it should (see above). Callers get version {before} again")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2:])
    except (BotoCoreError, ClientError) as error:
        fault(str(error))
