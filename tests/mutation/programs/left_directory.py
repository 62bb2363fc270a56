"""Makes a directory outside of its scratch space, without opening anything."""
import os


def main(path):
    try:
        os.mkdir(path)
        return True
    except OSError:
        return False
