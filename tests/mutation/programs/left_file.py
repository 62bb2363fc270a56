"""Leaves a file, and says where."""
import os


def main(name):
    with open(name, "w") as file:
        file.write("left")
    return os.path.abspath(name)
