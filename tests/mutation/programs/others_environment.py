"""Finds a word in the service's environment."""


def main(service, word):
    try:
        with open(f"/proc/{service}/environ", "rb") as file:
            return word in file.read().decode(errors="replace")
    except OSError:
        return False
