"""What a month of a load costs, in USD, by what a simulated part of it was charged for."""

from parameters import MONTH, CloudRunPrices, LambdaPrices


def tiered(amount, tiers):
    """Each tier's price is for what lies within it."""
    total = begin = 0.0
    for end, price in tiers:
        total += max(0.0, min(amount, end) - begin) * price
        begin = end
    return total


def on_lambda(rate, billed_seconds, settings, prices=LambdaPrices):
    """`billed_seconds`: of a job on average."""
    count = rate * MONTH
    return {
        "compute": tiered(count * billed_seconds * settings.memory_gb, prices.gb_second),
        "requests": count * prices.request,
        "HTTP API": tiered(count, prices.http_api),
        "logs": tiered(count * prices.log_bytes, prices.log_byte),
    }


def on_cloud_run(rate, active, up, settings, prices=CloudRunPrices):
    """`active`, `up`: instances that have requests, and all, on average."""
    count = rate * MONTH
    request = settings.cpus * prices.request_cpu + settings.memory_gib * prices.request_gib
    instance = settings.cpus * prices.instance_cpu + settings.memory_gib * prices.instance_gib
    return {
        "compute": active * MONTH * request,
        "requests": count * prices.request,
        "instances": up * MONTH * instance,
        "logs": tiered(count * prices.log_bytes, prices.log_byte),
    }


def per_million(cost, rate):
    return cost / (rate * MONTH) * 1e6
