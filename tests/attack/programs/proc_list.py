"""Lists the processes that it can see: itself and the init of its own sandbox at most."""
import os


def main(foreign=()):
    breaches = []
    try:
        seen = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        seen = []
    if len(seen) > 2:
        breaches.append(f"{len(seen)} processes")
    for name in seen:
        for part in ("cmdline", "comm"):
            try:
                with open(f"/proc/{name}/{part}", "rb") as file:
                    text = file.read().decode()
            except OSError:
                continue
            breaches += [f"{name}: {text!r}" for word in foreign if word in text]
    return {"tried": 1 + len(seen), "breaches": breaches}
