"""Draws from every source of chance: no two scripts may draw the same."""
import os
import random
import secrets
import tempfile
import uuid

import numpy


def main():
    return {
        "random": random.random(),
        "numpy": float(numpy.random.random()),
        "generator": int(numpy.random.default_rng().integers(1 << 62)),
        "uuid": str(uuid.uuid4()),
        "secrets": secrets.token_hex(16),
        "urandom": os.urandom(16).hex(),
        "name": next(tempfile._get_candidate_names()),
        "shuffled": random.sample(range(1 << 40), 4),
    }
