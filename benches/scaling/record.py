"""What a simulation has seen since its warm-up was over."""


class Record:
    def __init__(self):
        self.latencies = []  # from a job's arrival to its answer
        self.waits = []  # of it, until its script could begin
        self.busy = []  # jobs in progress, as each arrival finds them
        self.instances = []  # instances that are up, as each arrival finds them
        self.held = 0.0  # seconds of processors
        self.billed = 0.0  # seconds, as the platform rounds them
        self.available = 0.0  # seconds of processors that were up, busy or not
        self.cold = 0  # jobs that had to wait for an instance to start, or for a place in one
        self.refused = 0
        self.seconds = 0.0

    @property
    def served(self):
        return len(self.latencies)

    @property
    def arrived(self):
        return self.served + self.refused

    def share(self, count):
        return count / self.arrived if self.arrived else 0.0


def quantile(values, share):
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def mean(values):
    return sum(values) / len(values)
