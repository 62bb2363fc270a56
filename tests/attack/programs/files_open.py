"""Opens descriptors of every kind without end. The answer says how many it got."""
import os


def main(way, wanted):
    made, first = 0, os.dup(0)
    try:
        while made < wanted:
            if way == "pipe":
                os.pipe()
                made += 1
            elif way == "dup":
                os.dup(first)
            else:
                os.open("/dev/null", os.O_RDONLY)
            made += 1
    except OSError:
        pass
    return made
