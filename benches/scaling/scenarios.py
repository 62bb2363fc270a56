"""The loads that are simulated: each rate steadily, with each mix of scripts, and a burst."""

from math import ceil
from random import Random

import containers
import functions
from parameters import MIXES, SEED, CloudRun, Lambda
from workload import jobs, mean_hold

# For each rate: how long it is observed, in seconds.
OBSERVED = {1: 3_600, 100: 200, 10_000: 5}
# Lambda starts with nothing, so the load rises before it is observed; Cloud Run starts with what it has settled at.
RISE, SETTLE = 20, 3
BURST = (10, 1_000, 20)  # from, to (jobs a second), seconds
JUMPS = (2_000, 10_000)  # to, for Lambda alone


def on_lambda(mix, rate, quota=Lambda.quota):
    phases = [(RISE, rate / RISE, rate), (SETTLE + OBSERVED[rate], rate, rate)]
    return functions.simulate(_jobs(mix, phases, "lambda"), Lambda(quota=quota), since=RISE + SETTLE)


def on_cloud_run(mix, rate):
    phases = [(SETTLE + OBSERVED[rate], rate, rate)]
    expected = rate * mean_hold(MIXES[mix], "server")
    return containers.simulate(_jobs(mix, phases, "server"), CloudRun(), Random(SEED), expected, since=SETTLE)


def places_on_cloud_run(mix, rate, concurrency):
    """The same, with another number of requests that an instance is given at a time."""
    # It has a minute to settle, because concurrency may want more instances than processors do.
    phases = [(60 + OBSERVED[rate], rate, rate)]
    expected = rate * mean_hold(MIXES[mix], "server")
    settings = CloudRun(concurrency=concurrency)
    return containers.simulate(_jobs(mix, phases, "server"), settings, Random(SEED), expected, since=60)


def burst_on_lambda(mix, quota, burst=BURST):
    return functions.simulate(_jobs(mix, _phases(burst), "lambda"), Lambda(quota=quota), since=60)


def burst_on_cloud_run(mix, least):
    expected = BURST[0] * mean_hold(MIXES[mix], "server")
    settings = CloudRun(least=least)
    return containers.simulate(_jobs(mix, _phases(BURST), "server"), settings, Random(SEED), expected, since=60)


def instances_for(mix, rate, target):
    """What Cloud Run's autoscaler settles at, without a simulation."""
    processors = rate * mean_hold(MIXES[mix], "server")
    return max(1, ceil(processors / (CloudRun.cpus * target)))


def _phases(burst):
    before, after, seconds = burst
    return [(60, before, before), (seconds, after, after)]


def _jobs(mix, phases, platform):
    return jobs(phases, MIXES[mix], platform, Random(SEED))
