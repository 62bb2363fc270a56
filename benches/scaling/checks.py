"""The models against closed forms, in cases that have one. A model that is wrong does not come near them."""

import sys
from math import exp, factorial
from random import Random

import containers
import functions
from parameters import SEED, CloudRun, Lambda
from record import mean, quantile
from workload import moments


def check():
    """What was compared, as (what, simulated, expected, share by which they may differ)."""
    results = [*_lambda_checks(), *_cloud_run_checks()]
    wrong = [result for result in results if _differs(*result)]
    if wrong:
        lines = [f"{what}: {got:.4g} instead of {expected:.4g}" for what, got, expected, _ in wrong]
        sys.exit("scaling: the simulation disagrees with theory:\n" + "\n".join(lines))
    return results


def _differs(_, got, expected, near):
    return abs(got - expected) > near * abs(expected)


def _jobs(seconds, rate, hold, random):
    """`hold` is called for each job's time."""
    for at in moments([(seconds, rate, rate)], random):
        taken = hold()
        yield at, taken, taken, 0.0


def _lambda_checks():
    random = Random(SEED)
    plenty = Lambda(quota=10_000, growth=10_000, idle_seconds=1e9, platform_start=0.0)
    record = functions.simulate(_jobs(500, 200, lambda: 0.1, random), plenty, since=50)
    poisson = next(n for n in range(100) if sum(exp(-20) * 20**k / factorial(k) for k in range(n + 1)) >= 0.99)
    yield "Little's law: jobs in progress", mean(record.busy), 200 * 0.1, 0.02
    yield "M/G/inf: 99th percentile of jobs in progress", quantile(record.busy, 0.99), poisson, 0.04

    # With no time to start, a quota of 20 is M/M/20/20.
    tight = Lambda(quota=20, requests_per_environment=1e9, growth=10_000, idle_seconds=1e9, platform_start=0.0)
    record = functions.simulate(_jobs(1_000, 200, lambda: random.expovariate(10), random), tight, since=50)
    yield "Erlang B: share refused by a quota of 20", record.share(record.refused), erlang_b(20, 20.0), 0.05

    # Rare jobs: one is cold when the last was longer ago than an environment is kept.
    rare = Lambda(idle_seconds=100.0)
    record = functions.simulate(_jobs(1_000_000, 0.02, lambda: 0.001, random), rare)
    yield "share of cold starts, 1 job in 50 s, kept for 100 s", record.share(record.cold), exp(-0.02 * 100), 0.05

    # Short jobs: ten requests a second are allowed for each of the quota's executions.
    small = Lambda(quota=10)
    record = functions.simulate(_jobs(500, 200, lambda: 0.001, random), small, since=50)
    yield "share refused, 200 jobs/s with a quota of 10", record.share(record.refused), 0.5, 0.02


def _cloud_run_checks():
    random = Random(SEED)
    one = CloudRun(cpus=1, concurrency=10**9, most=1)
    record = containers.simulate(_jobs(1_500, 70, lambda: 0.01, random), one, random, 0.0, since=50)
    yield "M/D/1 at 70 %: mean wait", mean(record.waits), 0.7 * 0.01 / (2 * 0.3), 0.05
    yield "utilisation of the processor", record.held / record.available, 0.7, 0.02

    four = CloudRun(cpus=4, concurrency=10**9, most=1)
    record = containers.simulate(_jobs(1_000, 280, lambda: random.expovariate(100), random), four, random, 0.0, since=50)
    # From one seed to another, this mean differs by 2 %.
    yield "M/M/4 at 70 %: mean wait", mean(record.waits), erlang_c(4, 2.8) * 0.01 / (4 - 2.8), 0.1

    # A charge of 100 ms begins with the first job after the last charge.
    record = containers.simulate(_jobs(20_000, 5, lambda: 0.0001, random), one, random, 0.0)
    yield "share of time that is charged, 5 short jobs a second", record.billed / record.seconds, 0.1 / (0.1 + 1 / 5), 0.02

    wide = CloudRun(cpus=2)
    record = containers.simulate(_jobs(300, 1_000, lambda: 0.02, random), wide, random, 20.0, since=60)
    yield "autoscaler: utilisation at the target", record.held / record.available, 20 / (17 * 2), 0.05


def erlang_b(servers, load):
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked


def erlang_c(servers, load):
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))
