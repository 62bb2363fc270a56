"""Makes its scratch directory its root directory."""
import os


def main():
    try:
        os.chroot(".")
        return True
    except OSError:
        return False
