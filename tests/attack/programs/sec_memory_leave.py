"""Fills its memory, its heap and its files with a secret that it was given."""
import os


def main(secret):
    copies = [secret + str(number) for number in range(1000)]
    blocks = [bytearray((secret * 100).encode()) for _ in range(100)]
    os.environ["LEFT"] = secret
    open("left", "w").write(secret)
    print(secret)
    return len(copies) + len(blocks)
