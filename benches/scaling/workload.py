"""Jobs: when they come, and what they take."""

from bisect import bisect
from itertools import accumulate
from math import exp, log

# The 99th percentile of a standard normal distribution.
Z99 = 2.3263479


def moments(phases, random):
    """A Poisson process. Phases are (seconds, rate when it begins, rate when it ends)."""
    begin = 0.0
    for seconds, first, last in phases:
        peak, at = max(first, last), 0.0
        while True:
            at += random.expovariate(peak)
            if at >= seconds:
                break
            # What comes at the peak's rate is thinned out to that of the moment.
            if first == last or random.random() * peak < first + (last - first) * at / seconds:
                yield begin + at
        begin += seconds


def jobs(phases, mix, platform, random):
    """(moment, time to the answer, time that a processor is taken, time of imports in a new instance)."""
    bounds = list(accumulate(share for share, _ in mix))[:-1]
    shapes = [_shape(script, platform) for _, script in mix]
    for at in moments(phases, random):
        middle, spread, processor, imports = shapes[bisect(bounds, random.random())]
        answer = random.lognormvariate(middle, spread) if spread else exp(middle)
        yield at, answer, max(answer, processor), imports


def _shape(script, platform):
    median, p99 = script.answer(platform)
    return log(median), log(p99 / median) / Z99, script.processor, script.imports


def mean_hold(mix, platform):
    """The mean time that a processor is taken, for a first guess of how many are needed."""
    return sum(share * max(script.processor, script.answer(platform)[0]) for share, script in mix)
