"""What a stack of template.yaml would consist of: template.py [NAME=VALUE]...

Prints, as JSON, the resources that SAM makes of the template with these parameters, with conditions and references to
parameters resolved, or ends with the words of the rule that the parameters break.
"""

import json
import logging
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(PROJECT / "target/tools/python"))
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

NOTHING = object()


class NoManagedPolicies:
    """The template names none, and asking AWS for their list is not possible here."""

    def load(self):
        return {}


class Stack:
    def __init__(self, template, given):
        parameters = template["Parameters"]
        unknown = set(given) - set(parameters)
        if unknown:
            raise SystemExit(f"no such parameter: {', '.join(sorted(unknown))}")
        self.values = {name: given.get(name, parameter.get("Default")) for name, parameter in parameters.items()}
        self.conditions = template.get("Conditions", {})
        self.template = template

    def check(self):
        for name, rule in self.template["Rules"].items():
            if self.holds(rule["RuleCondition"]):
                for assertion in rule["Assertions"]:
                    if not self.holds(assertion["Assert"]):
                        raise SystemExit(f"{name}: {assertion['AssertDescription']}")

    def holds(self, condition):
        ((function, operands),) = condition.items()
        match function:
            case "Condition":
                return self.holds(self.conditions[operands])
            case "Fn::Equals":
                left, right = (self.resolve(operand) for operand in operands)
                return str(left) == str(right)
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::And":
                return all(self.holds(operand) for operand in operands)
        raise SystemExit(f"{function} is not known here")

    def resolve(self, value):
        match value:
            case {"Ref": "AWS::NoValue"}:
                return NOTHING
            case {"Ref": name} if name in self.values:
                return self.values[name]
            case {"Fn::If": [name, yes, no]}:
                return self.resolve(yes if self.holds(self.conditions[name]) else no)
            case dict():
                members = ((name, self.resolve(member)) for name, member in value.items())
                return {name: member for name, member in members if member is not NOTHING}
            case list():
                return [member for member in map(self.resolve, value) if member is not NOTHING]
        return value

    def resources(self):
        for name, resource in self.template["Resources"].items():
            condition = resource.get("Condition")
            if condition is None or self.holds(self.conditions[condition]):
                yield name, self.resolve(resource)


def main(given):
    template = yaml_parse((PROJECT / "template.yaml").read_text())
    # `sam package` puts archives there.
    template["Resources"]["Executor"]["Properties"]["CodeUri"] = "s3://bucket/function.zip"
    template["Resources"]["RuntimeLayer"]["Properties"]["ContentUri"] = "s3://bucket/layer.zip"
    stack = Stack(transform(template, dict(given), NoManagedPolicies()), given)
    stack.check()
    print(json.dumps(dict(stack.resources()), indent=1))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main(dict(argument.split("=", 1) for argument in sys.argv[1:]))
