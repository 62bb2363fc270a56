"""Runs another Python, a process, and a pool of processes."""
import multiprocessing
import subprocess
import sys


def square(number):
    return number * number


def main():
    done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
    process = multiprocessing.Process(target=square, args=(2,))
    process.start()
    process.join()
    with multiprocessing.Pool(2) as pool:
        return [done.stdout, process.exitcode, pool.map(square, [1, 2, 3])]
