"""The service as a few lines of Flask, for gunicorn."""

import in_process
from flask import Flask, request

app = Flask(__name__)


@app.post("/execute")
def execute():
    return in_process.run(request.get_json()["script"])
