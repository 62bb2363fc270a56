"""Raises its own limits: none goes up."""
import resource


def main():
    breaches, names = [], [name for name in dir(resource) if name.startswith("RLIMIT_")]
    for name in names:
        kind = getattr(resource, name)
        soft, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            continue
        for wanted in (hard + 1, resource.RLIM_INFINITY):
            try:
                resource.setrlimit(kind, (soft, wanted))
                breaches.append(f"{name}: {hard} became {wanted}")
            except (OSError, ValueError):
                pass
    for name in ("RLIMIT_NOFILE", "RLIMIT_CORE"):
        if resource.getrlimit(getattr(resource, name))[1] == resource.RLIM_INFINITY:
            breaches.append(f"{name} is not limited")
    return {"tried": len(names), "breaches": breaches}
