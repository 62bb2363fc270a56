"""The service as a few lines for AWS's own Python runtime."""

import in_process


def handler(event, context):
    return in_process.run(event["script"])
