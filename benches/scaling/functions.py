"""Lambda: an environment runs one invocation at a time, and a job that finds none idle starts another."""

from collections import deque
from heapq import heappop, heappush
from math import ceil

from parameters import FIRST_READ, SERVICE_START, LambdaPrices
from record import Record


class Bucket:
    """Tokens that come at a rate, up to a number."""

    def __init__(self, rate, size):
        self.rate, self.size, self.tokens, self.at = rate, size, size, 0.0

    def refill(self, now):
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return self.tokens >= 1.0


def simulate(jobs, settings, since=0.0):
    """Runs the jobs, and records those that come after `since`."""
    record, busy, idle = Record(), [], deque()
    # Of `idle` the last one is taken, so the first one has been idle for longest: Lambda prefers those that are warm.
    per_second = settings.quota * settings.requests_per_environment
    requests = Bucket(per_second, max(1.0, per_second * settings.request_burst_seconds))
    growth = Bucket(settings.growth / settings.growth_seconds, settings.growth)
    last = since
    for at, answer, hold, imports in jobs:
        while busy and busy[0] <= at:
            idle.append(heappop(busy))
        while idle and at - idle[0] > settings.idle_seconds:
            idle.popleft()
        counted = at >= since
        if counted:
            record.busy.append(len(busy))
            record.instances.append(len(busy) + len(idle))
            record.available += (at - last) * (len(busy) + len(idle))
            last = at
        start = _start(at, settings, busy, idle, requests, growth)
        if start is None:
            record.refused += counted
            continue
        is_cold = start > 0.0
        wait = settings.platform_start + start + imports * FIRST_READ if is_cold else 0.0
        heappush(busy, at + wait + hold)
        if counted:
            _note(record, wait, answer, hold, is_cold, wait - settings.platform_start if is_cold else 0.0)
    record.seconds = last - since
    return record


def _start(at, settings, busy, idle, requests, growth):
    """The time of INIT: none with a warm environment; None if the invocation is refused."""
    if not requests.refill(at):
        return None
    if idle:
        idle.pop()
        start = 0.0
    elif len(busy) < settings.quota and growth.refill(at):
        growth.tokens -= 1.0
        start = SERVICE_START * FIRST_READ
    else:
        return None
    requests.tokens -= 1.0
    return start


def _note(record, wait, answer, hold, is_cold, init):
    record.waits.append(wait)
    record.latencies.append(wait + answer)
    record.held += hold
    record.cold += is_cold
    # Rounding is not to add a millisecond to what is a whole number of them but for the last bit.
    record.billed += ceil((init + hold) / LambdaPrices.rounding - 1e-9) * LambdaPrices.rounding
