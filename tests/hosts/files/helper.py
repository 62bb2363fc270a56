"""A module that comes with the request."""
import os
from statistics import mean

VALUE = 42


class Point:
    def __init__(self, x):
        self.x = x


def divide(number):
    return number / 0  # shown in tracebacks


def own_directory():
    return os.path.dirname(__file__)


def neighbour():
    with open(os.path.join(own_directory(), "beside.txt")) as file:
        return file.read()
