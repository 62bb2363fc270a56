"""What the simulation takes as given. Each figure is one of three kinds:

measured   by `make bench` or `perf`, on the machine that docs/PERFORMANCE.md names;
listed     by the platform, on pages as of 2026-11-26 or, where it says so, at second hand;
assumed    because the platform does not say, or says "it depends".
"""

from dataclasses import dataclass
from math import inf

SEED = 20261126
MONTH = 730 * 3600


@dataclass(frozen=True)
class Script:
    """Times in seconds, measured. An answer's time is what one client waits that asks again and again."""

    on_lambda: tuple  # median and 99th percentile, under the emulator of Lambda's runtime interface, which is 1 ms of it
    on_server: tuple  # the same over HTTP
    processor: float  # of one processor, in all processes, the making of the next worker included
    imports: float = 0.0  # what the first such script of a new instance waits for, once the service answers

    def answer(self, platform):
        return self.on_lambda if platform == "lambda" else self.on_server


# Processor times from docs/PERFORMANCE.md, answers and imports from the same run of `make bench`.
BASIC = Script(on_lambda=(0.0030, 0.0076), on_server=(0.0014, 0.0058), processor=0.0040)
PANDAS = Script(on_lambda=(0.0061, 0.0119), on_server=(0.0040, 0.0138), processor=0.0097, imports=0.610)
# Assumed: a second of work on one processor, which is what it is charged for. Scripts cannot wait for a network.
SECOND = Script(on_lambda=(1.003, 1.003), on_server=(1.0014, 1.0014), processor=1.004)

# Shares of each script. Nobody knows yours: the last one is assumed, for agents that mostly calculate and at times work.
MIXES = {
    "basic": ((1.0, BASIC),),
    "pandas": ((1.0, PANDAS),),
    "agents": ((0.6, BASIC), (0.3, PANDAS), (0.1, SECOND)),
}
RATES = (1, 100, 10_000)

# Measured: from the start of the process to its first answer (0.087 s as a server, 0.092 s as a function).
SERVICE_START = 0.09
# Assumed: a start reads its files for the first time, from a layer or an image that came over a network.
FIRST_READ = 3.0


@dataclass(frozen=True)
class Lambda:
    memory_gb: float = 1769 / 1024  # template.yaml; listed: 1,769 MB come with one whole processor
    # Listed (Lambda quotas): 1,000 executions at a time, less in a new account. Here, what somebody has asked for.
    quota: int = 3_000
    # Listed (Lambda quotas): an environment "can serve up to 10 requests per second", so the account 10 x its quota.
    requests_per_environment: float = 10.0
    request_burst_seconds: float = 0.1  # assumed: of that rate, what may come at once
    # Listed (Lambda scaling behavior): 1,000 environments every 10 s for each function, refilled all the time.
    growth: int = 1_000
    growth_seconds: float = 10.0
    platform_start: float = 0.25  # assumed; before INIT, so it is not charged
    idle_seconds: float = 300.0  # assumed; measurements that were published say from 5 to 60 minutes


@dataclass(frozen=True)
class CloudRun:
    cpus: int = 2  # so EXECUTOR_CONCURRENCY is 2
    memory_gib: float = 2.5  # deploy/cloudrun.yaml: 3 jobs of 512 MiB, their scratch space of 64 MiB each, and the service
    concurrency: int = 8  # requests that an instance is given at a time: 2 run, the others wait in its queue
    target: float = 0.6  # listed (About instance autoscaling): of processors and of concurrency
    average_seconds: int = 60  # listed: over which use is averaged
    tick_seconds: int = 5  # assumed: how often that is looked at
    least: int = 1  # minimum instances; 0 is the default
    most: int = 1_000  # listed: 100 by default, more within the region's quota of processors and memory
    platform_start: float = 1.0  # assumed: until the container's process begins
    patience: float = 10.0  # assumed: a request that waits longer for an instance gets 429


@dataclass(frozen=True)
class LambdaPrices:
    """US East (N. Virginia), x86, USD, without the free tier. Tiers are of a month: (up to, price for one unit)."""

    request: float = 0.20e-6  # listed: aws.amazon.com/lambda/pricing
    # At second hand (cloudchipr.com, 2024, and others): the page's own tables could not be read.
    gb_second: tuple = ((6e9, 16.6667e-6), (15e9, 15.0e-6), (inf, 13.3334e-6))
    rounding: float = 0.001  # listed: up to the next millisecond; INIT is charged, since 2025-08-01 of every function
    # At second hand (awsforengineers.com, 2025): requests of up to 512 KB. Beyond 300 million from memory; one page has 0.80
    # beyond 1,000 million. Function URLs and direct invocations have no fee of their own (from memory).
    http_api: tuple = ((300e6, 1.00e-6), (inf, 0.90e-6))
    # At second hand (duckbillgroup.com on the tiers of 2025-05-01): bytes of logs. Storage is not counted.
    log_byte: tuple = ((10e12, 0.50e-9), (30e12, 0.25e-9), (50e12, 0.10e-9), (inf, 0.05e-9))
    # Assumed: the service's line with its metrics 1,550 bytes, Lambda's own three lines 350.
    log_bytes: int = 1_900


@dataclass(frozen=True)
class CloudRunPrices:
    """Regions of tier 1, USD, without the free tier and discounts for commitment."""

    # Listed: cloud.google.com/run/pricing, but for the memory of instance-based billing, which is at second hand.
    request: float = 0.40e-6
    request_cpu: float = 24.0e-6  # a vCPU-second with request-based billing
    request_gib: float = 2.5e-6
    instance_cpu: float = 18.0e-6  # a vCPU-second with instance-based billing
    instance_gib: float = 2.0e-6
    rounding: float = 0.1  # listed; assumed: of each stretch of time in which an instance has requests
    log_byte: tuple = ((inf, 0.50 / 2**30),)  # listed: Cloud Logging, beyond 50 GiB a month
    # Assumed: the service's line 700 bytes, Cloud Run's own log of requests 1,000.
    log_bytes: int = 1_700
