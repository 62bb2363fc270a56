"""Runs a pool of threads."""
from concurrent.futures import ThreadPoolExecutor


def main():
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(lambda number: number * number, range(100)))
