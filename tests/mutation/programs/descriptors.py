"""Holds more than the standard streams and its channel."""
import os


def is_open(number):
    try:
        os.fstat(number)
        return True
    except OSError:
        return False


def main():
    return sum(is_open(number) for number in range(3, 1024)) > 1
