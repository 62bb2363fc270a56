"""Finds a variable of the service in its own environment."""
import os


def main(name):
    return name in os.environ
