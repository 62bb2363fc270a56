"""Cloud Run: an instance runs as many jobs as it has processors, others wait in it, and an autoscaler looks on."""

from collections import deque
from heapq import heappop, heappush, heapreplace
from math import ceil

from parameters import FIRST_READ, SERVICE_START, CloudRunPrices
from record import Record

ANSWERED, READY, TICK = range(3)


class Instance:
    def __init__(self, cpus, up):
        self.free = [up] * cpus  # when each processor will be
        self.up = up
        self.requests = 0
        self.since = self.until = up  # the stretch of time that is charged, rounded up
        self.billed = 0.0

    def begin(self, now):
        if not self.requests and now > self.until:
            self.settle(now)
        self.requests += 1

    def end(self, now):
        self.requests -= 1
        if not self.requests:
            unit = CloudRunPrices.rounding
            self.until = self.since + ceil((now - self.since) / unit - 1e-9) * unit

    def settle(self, now):
        """Charges what has passed, and begins anew."""
        self.billed += (now if self.requests else min(self.until, now)) - self.since
        self.since = now
        self.until = max(self.until, now)


class Simulation:
    def __init__(self, settings, random, expected):
        """`expected`: processors that the load takes at the beginning."""
        self.settings, self.random, self.record = settings, random, Record()
        self.events, self.order = [], 0
        self.pending = deque()
        self.starting = self.flying = 0
        count = self._wanted(expected, 0.0)
        self.active = [Instance(settings.cpus, 0.0) for _ in range(count)]
        self.spare = []  # up, but given no requests
        self.room = count * settings.concurrency
        buckets = settings.average_seconds // settings.tick_seconds
        self.used = deque([(expected * settings.tick_seconds, 0.0)] * buckets, maxlen=buckets)
        self.now_used = [0.0, 0.0]  # seconds of processors and of requests since the last tick
        self.since = self.last = 0.0

    def run(self, jobs, since=0.0):
        self.since = self.last = since
        settled = False
        self._at(self.settings.tick_seconds, TICK)
        for job in jobs:
            at = job[0]
            while self.events and self.events[0][0] <= at:
                self._happen(*heappop(self.events))
            if at >= since:
                if not settled:
                    settled = True
                    self._settle(since, forget=True)
                self._look(at)
            self._place(job, at)
        self._settle(self.last)
        self.record.seconds = self.last - since
        return self.record

    def _at(self, moment, what, instance=None):
        self.order += 1
        heappush(self.events, (moment, self.order, what, instance))

    def _happen(self, now, _, what, instance):
        if what == ANSWERED:
            instance.end(now)
            self.room += 1
            self.flying -= 1
            self._take_pending(now)
        elif what == READY:
            self.starting -= 1
            self._admit(instance, now)
        else:
            self._tick(now)

    def _admit(self, instance, now):
        self.active.append(instance)
        self.room += self.settings.concurrency - instance.requests
        self._take_pending(now)

    def _take_pending(self, now):
        while self.pending and self.room:
            job = self.pending.popleft()
            if now - job[0] > self.settings.patience:
                self.record.refused += job[0] >= self.since
            else:
                self._place(job, now)

    def _place(self, job, now):
        if not self.room:
            self.pending.append(job)
            # On demand: one more if those that are starting will not have room for all that wait.
            if len(self.pending) > self.starting * self.settings.concurrency:
                self._grow(1, now)
            self.record.cold += job[0] >= self.since
            return
        at, answer, hold, imports = job
        instance = self._choose()
        instance.begin(now)
        self.room -= 1
        self.flying += 1
        begin = max(now, instance.free[0], instance.up + imports * FIRST_READ if instance.up else 0.0)
        heapreplace(instance.free, begin + hold)
        self._at(begin + answer, ANSWERED, instance)
        self.now_used[0] += hold
        self.now_used[1] += begin + answer - now
        if at >= self.since:
            self.record.waits.append(begin - at)
            self.record.latencies.append(begin + answer - at)
            self.record.held += hold

    def _choose(self):
        """The less busy one of two: what the router really does is not known."""
        active, limit = self.active, self.settings.concurrency
        one = active[int(self.random.random() * len(active))]
        two = active[int(self.random.random() * len(active))]
        best = one if one.requests <= two.requests else two
        return best if best.requests < limit else min(active, key=lambda instance: instance.requests)

    def _wanted(self, processors, requests):
        settings = self.settings
        by_cpu = processors / (settings.cpus * settings.target)
        by_requests = requests / (settings.concurrency * settings.target)
        return min(settings.most, max(1, settings.least, ceil(max(by_cpu, by_requests))))

    def _tick(self, now):
        self.used.append(tuple(self.now_used))
        self.now_used = [0.0, 0.0]
        tick = self.settings.tick_seconds
        wanted = self._wanted(*(sum(column) / len(self.used) / tick for column in zip(*self.used)))
        have = len(self.active) + self.starting
        if wanted > have:
            self._grow(wanted - have, now)
        # A mean of a minute is late to see a burst; what is needed right now is not taken away.
        needed = max(wanted, self._wanted(*(amount / tick for amount in self.used[-1])))
        while len(self.active) > needed and not self.pending:
            self._retire()
        self._at(now + tick, TICK)

    def _grow(self, count, now):
        for _ in range(count):
            if self.spare:
                self._admit(self.spare.pop(), now)
            elif len(self.active) + self.starting < self.settings.most:
                up = now + self.settings.platform_start + SERVICE_START * FIRST_READ
                instance = Instance(self.settings.cpus, up)
                instance.since = now  # a start is charged
                self.starting += 1
                self._at(up, READY, instance)

    def _retire(self):
        """It is given no more requests; Cloud Run keeps it for up to 15 minutes."""
        instance = self.active.pop()
        self.room -= self.settings.concurrency - instance.requests
        self.spare.append(instance)

    def _look(self, at):
        up = len(self.active) + len(self.spare)
        self.record.instances.append(up)
        self.record.busy.append(self.flying + len(self.pending))
        self.record.available += (at - self.last) * up * self.settings.cpus
        self.last = at

    def _settle(self, now, forget=False):
        for instance in self.active + self.spare:
            instance.settle(now)
            self.record.billed += 0.0 if forget else instance.billed
            if forget:
                instance.billed = 0.0


def simulate(jobs, settings, random, expected, since=0.0):
    """Runs the jobs, and records those that come after `since`."""
    return Simulation(settings, random, expected).run(jobs, since)
