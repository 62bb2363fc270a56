"""Opens more files than it may."""
import os


def main(limit):
    opened = []
    try:
        while len(opened) <= limit:
            opened.append(os.dup(0))
    except OSError:
        return False
    return True
