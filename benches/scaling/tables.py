"""The tables, in Markdown."""

from math import ceil

import costs
import scenarios
from parameters import MIXES, RATES, CloudRun, Lambda
from record import quantile

GRID = [10 ** (step / 50) for step in range(-50, 251)]  # jobs a second, in steps of 5 %


def all_tables(checked):
    lambda_rows, cloud_run_rows = [], []
    for mix in MIXES:
        for rate in RATES:
            lambda_rows.append((mix, rate, scenarios.on_lambda(mix, rate)))
            cloud_run_rows.append((mix, rate, scenarios.on_cloud_run(mix, rate)))
    yield behaviour_of_lambda(lambda_rows)
    yield costs_of_lambda(lambda_rows)
    yield front_doors(lambda_rows)
    yield behaviour_of_cloud_run(cloud_run_rows)
    yield costs_of_cloud_run(cloud_run_rows)
    yield places()
    yield quotas()
    yield bursts()
    yield jumps()
    yield break_even(lambda_rows)
    yield theory(checked)


def table(title, columns, rows):
    lines = [f"**{title}**", "", _line(columns), "|---" + "|--:" * (len(columns) - 1) + "|"]
    return "\n".join([*lines, *(_line(row) for row in rows), ""])


def _line(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def behaviour_of_lambda(rows):
    columns = ["scripts", "jobs/s", "in progress p50 / p99 / max", "environments p99", "quota needed", "cold",
               "refused", "latency p50", "p99", "busy"]
    return table("Lambda, steady load", columns, [
        (mix, number(rate), _spread(record.busy), number(quantile(record.instances, 0.99)),
         number(quota_needed(rate, record)), percent(record.share(record.cold)), percent(record.share(record.refused)),
         time(quantile(record.latencies, 0.5)), time(quantile(record.latencies, 0.99)),
         percent(record.held / record.available))
        for mix, rate, record in rows
    ])


def quota_needed(rate, record):
    """Concurrent executions: as many as there were, and a tenth of the requests in a second."""
    return max(max(record.busy) + 1, ceil(rate / Lambda.requests_per_environment))


def costs_of_lambda(rows):
    columns = ["scripts", "jobs/s", "compute", "requests", "together", "per million jobs", "with an HTTP API (its share)",
               "per million jobs", "logs besides"]
    lines = []
    for mix, rate, record in rows:
        cost = costs.on_lambda(rate, record.billed / record.served, Lambda())
        direct = cost["compute"] + cost["requests"]
        through = direct + cost["HTTP API"]
        lines.append((mix, number(rate), _part(cost["compute"], through), _part(cost["requests"], through), money(direct),
                      money(costs.per_million(direct, rate)), f"{money(through)} ({percent(cost['HTTP API'] / through)})",
                      money(costs.per_million(through, rate)), money(cost["logs"])))
    return table("Lambda, USD a month (shares are of what it costs with an HTTP API)", columns, lines)


def front_doors(rows):
    columns = ["jobs/s of basic scripts", "direct invocation", "function URL", "HTTP API", "times as much"]
    lines = []
    for mix, rate, record in rows:
        if mix == "basic":
            cost = costs.on_lambda(rate, record.billed / record.served, Lambda())
            direct = cost["compute"] + cost["requests"]
            through = direct + cost["HTTP API"]
            lines.append((number(rate), money(direct), money(direct), money(through), f"{through / direct:.1f}"))
    return table("Lambda's front doors, USD a month without logs", columns, lines)


def behaviour_of_cloud_run(rows):
    columns = ["scripts", "jobs/s", "in progress p50 / p99 / max", "instances p50 / p99 / max", "waited for a place",
               "refused", "latency p50", "p99", "busy"]
    return table("Cloud Run, steady load", columns, [
        (mix, number(rate), _spread(record.busy), _spread(record.instances), percent(record.share(record.cold)),
         percent(record.share(record.refused)), time(quantile(record.latencies, 0.5)),
         time(quantile(record.latencies, 0.99)), percent(record.held / record.available))
        for mix, rate, record in rows
    ])


def costs_of_cloud_run(rows):
    columns = ["scripts", "jobs/s", "request-based: compute", "requests", "together", "per million jobs", "instance-based",
               "per million jobs", "logs besides"]
    lines = []
    for mix, rate, record in rows:
        cost = _cloud_run_cost(rate, record)
        asked = cost["compute"] + cost["requests"]
        lines.append((mix, number(rate), _part(cost["compute"], asked), _part(cost["requests"], asked), money(asked),
                      money(costs.per_million(asked, rate)), money(cost["instances"]),
                      money(costs.per_million(cost["instances"], rate)), money(cost["logs"])))
    return table("Cloud Run, USD a month", columns, lines)


def _cloud_run_cost(rate, record):
    settings = CloudRun()
    up = record.available / settings.cpus / record.seconds
    return costs.on_cloud_run(rate, record.billed / record.seconds, up, settings)


def quotas():
    rows = []
    for quota in (10, 100, 500, 900, 1_000):
        record = scenarios.on_lambda("basic", 10_000, quota)
        rows.append((number(quota), percent(record.share(record.refused)), number(max(record.busy) + 1)))
    return table("Lambda, 10,000 basic jobs a second with a quota of so many concurrent executions",
                 ["quota", "refused", "in progress, max"], rows)


def bursts():
    before, after, seconds = scenarios.BURST
    rows = []
    for mix in MIXES:
        runs = [(f"Lambda, quota {number(quota)}", scenarios.burst_on_lambda(mix, quota)) for quota in (100, 1_000)]
        runs += [(f"Cloud Run, at least {least}", scenarios.burst_on_cloud_run(mix, least)) for least in (1, 10)]
        for where, record in runs:
            rows.append((mix, where, max(record.instances), percent(record.share(record.cold)),
                         percent(record.share(record.refused)), time(quantile(record.latencies, 0.5)),
                         time(quantile(record.latencies, 0.99)), time(max(record.latencies))))
    return table(f"A burst: {before} jobs a second, then {number(after)} for {seconds} s",
                 ["scripts", "where", "instances, max", "waited for a start or a place", "refused", "latency p50", "p99",
                  "max"], rows)


def jumps():
    before, seconds = scenarios.BURST[0], 10
    rows = []
    for mix in MIXES:
        for after in scenarios.JUMPS:
            record = scenarios.burst_on_lambda(mix, Lambda.quota, (before, after, seconds))
            rows.append((mix, number(after), number(max(record.instances)), percent(record.share(record.cold)),
                         percent(record.share(record.refused)), time(quantile(record.latencies, 0.99))))
    return table(f"Lambda, a jump from {before} jobs a second, in its first {seconds} s, quota {number(Lambda.quota)}",
                 ["scripts", "to jobs/s", "environments, max", "cold", "refused", "latency p99"], rows)


def places():
    rows = []
    for places in (2, 4, 8, 16):
        record = scenarios.places_on_cloud_run("agents", 100, places)
        rows.append((places, _spread(record.instances), percent(record.share(record.cold)),
                     time(quantile(record.latencies, 0.5)), time(quantile(record.latencies, 0.9)),
                     time(quantile(record.waits, 0.99)), percent(record.held / record.available)))
    return table("Cloud Run, 100 jobs a second of agents, by container concurrency",
                 ["concurrency", "instances p50 / p99 / max", "waited for a place", "latency p50", "p90", "waiting p99",
                  "busy"], rows)


def break_even(rows):
    lines = []
    for mix in MIXES:
        billed = next(record.billed / record.served for name, rate, record in rows if name == mix and rate == 100)
        cells = [_cheaper_from(mix, billed, target, has_api) for has_api in (False, True) for target in (0.6, 0.8)]
        lines.append((mix, *map(number, cells)))
    title = "Jobs a second from which Cloud Run, with instance-based billing, always costs less than Lambda, without logs"
    columns = ["scripts", "than a function URL, target 60%", "target 80%", "than an HTTP API, target 60%", "target 80%"]
    return table(title, columns, lines)


def _cheaper_from(mix, billed, target, has_api):
    """None if Lambda is the cheaper one at the end of the grid."""
    found = None
    for rate in reversed(GRID):
        function = costs.on_lambda(rate, billed, Lambda())
        price = function["compute"] + function["requests"] + (function["HTTP API"] if has_api else 0.0)
        if costs.on_cloud_run(rate, 0, scenarios.instances_for(mix, rate, target), CloudRun())["instances"] >= price:
            break
        found = rate
    return found


def theory(checked):
    return table("The models beside closed forms", ["what", "simulated", "theory"],
                 [(what, f"{got:.4g}", f"{expected:.4g}") for what, got, expected, _ in checked])


def _spread(values):
    return " / ".join(number(value) for value in (quantile(values, 0.5), quantile(values, 0.99), max(values)))


def _part(value, whole):
    return f"{money(value)} ({percent(value / whole)})"


def number(value):
    if value is None:
        return "never"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def money(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def percent(share):
    return "0" if share == 0 else f"{share:.0%}" if share >= 0.095 else f"{share:.2%}" if share >= 0.00005 else "< 0.01%"


def time(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
