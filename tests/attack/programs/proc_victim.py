"""Says that it runs, and works quietly while another script attacks."""
import ctypes
import time


def main(announce, seconds=1.5):
    ctypes.CDLL(None).prctl(15, announce.encode(), 0, 0, 0)
    until, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        rounds += 1
        time.sleep(0.001)
    print("survived")
    return "survived"
