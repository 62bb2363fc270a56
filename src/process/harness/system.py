"""What the C library reads of a system, from the runtime's files: users, groups, the names of this host, services and protocols.

Where the runtime is the root, the C library finds them by itself. Elsewhere it would look for the host's, which the sandbox
hides. To be loaded after scratch.py; a zygote calls `install`.
"""

import builtins

# A copy, so that a script which patches `len` does not patch ours.
__builtins__ = dict(vars(builtins))

import _socket
import grp
import os
import pwd

from _harness_scratch import like

# Who a script is, by the runtime's /etc/passwd and /etc/group.
NAME = "sandbox"


def install(runtime):
    """Puts our look-ups where Python's are."""
    users = [pwd.struct_passwd(_entry(line, os.getuid(), os.getgid())) for line in _lines(runtime, "passwd", ":")]
    groups = [grp.struct_group(_entry(line, os.getgid())) for line in _lines(runtime, "group", ":")]
    _put(pwd, ("getpwnam", "getpwuid", "getpwall"), users, "uid")
    _put(grp, ("getgrnam", "getgrgid", "getgrall"), groups, "gid")
    addresses = {}
    for address, *names in _lines(runtime, "hosts", None):
        for name in names:
            addresses.setdefault(name, []).append(address)
    services = _services(runtime)
    ports = {name: port for name, protocol, port in services if protocol == "tcp"}
    for made in (_gethostbyname, _gethostbyname_ex, _gethostbyaddr):
        _replace(made, addresses)
    _replace(_getaddrinfo, addresses, ports)
    for made in (_getservbyname, _getservbyport):
        _replace(made, services)
    _replace(_getprotobyname, {name: int(number) for number, names in _numbered(runtime, "protocols") for name in names})


def _replace(made, *tables):
    """Puts a call of ours in the place of the one that it is named after."""
    original = getattr(_socket, made.__name__[1:])
    setattr(_socket, made.__name__[1:], like(original, made(original, *tables)))


def _numbered(runtime, name):
    """Yields the number and the names of each entry in a file such as /etc/services."""
    for line in _lines(runtime, name, "#"):
        official, number, *others = line[0].split() or ("", "")
        if official:
            yield number, [official, *others]


def _services(runtime):
    """Returns the name, protocol and port of each service, the official name of a port before its aliases."""
    entries = [(*number.split("/"), names) for number, names in _numbered(runtime, "services")]
    official = [(names[0], protocol, int(port)) for port, protocol, names in entries]
    return official + [(name, protocol, int(port)) for port, protocol, names in entries for name in names[1:]]


def _lines(runtime, name, separator):
    with open(os.path.join(runtime, "etc", name)) as file:
        return [line.rstrip("\n").split(separator) for line in file if line.strip()]


def _entry(fields, *own):
    """An entry as Python has it. A script's own has the numbers that it really has here."""
    numbers = own if fields[0] == NAME and os.getuid() else map(int, fields[2 : 2 + len(own)])
    rest = fields[2 + len(own) :]
    # What ends an entry of a group is a list.
    return [*fields[:2], *numbers, *(rest if len(own) == 2 else ([*filter(None, rest[0].split(","))],))]


def _put(module, names, entries, number):
    by_name, by_number, listed = names
    # A script's own entry comes before others of its number.
    sought = sorted(entries, key=lambda entry: entry[0] != NAME)

    def of_name(name, /):
        if not isinstance(name, str):
            raise TypeError(f"{by_name}() argument must be str, not {type(name).__name__}")
        return found((entry for entry in sought if entry[0] == name), f"{by_name}(): name not found: {name!r}")

    def of_number(id, /):
        if not isinstance(id, int):
            raise TypeError(f"{number} should be integer, not {type(id).__name__}")
        return found((entry for entry in sought if entry[2] == id), f"{by_number}(): {number} not found: {id}")

    def found(entries, otherwise):
        for entry in entries:
            return entry
        raise KeyError(otherwise)

    for name, call in ((by_name, of_name), (by_number, of_number), (listed, lambda: [*entries])):
        setattr(module, name, like(getattr(module, name), call))


def _known(addresses, host, family=0):
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    found = addresses.get(host.lower(), []) if isinstance(host, str) else []
    return [one for one in found if family in (0, _socket.AF_INET6 if ":" in one else _socket.AF_INET)]


def _gethostbyname(original, addresses):
    def call(host, /):
        found = _known(addresses, host, _socket.AF_INET)
        return found[0] if found else original(host)

    return call


def _gethostbyname_ex(original, addresses):
    def call(host, /):
        found = _known(addresses, host, _socket.AF_INET)
        return (host, [], found) if found else original(host)

    return call


def _gethostbyaddr(original, addresses):
    def call(host, /):
        for name, found in addresses.items():
            if host == name or host in found:
                return name, [], [host if host in found else found[0]]
        return original(host)

    return call


def _getservbyname(original, services):
    def call(name, protocol=None, /):
        for known, of, port in services:
            if known == name and protocol in (None, of):
                return port
        return original(name) if protocol is None else original(name, protocol)

    return call


def _getservbyport(original, services):
    def call(port, protocol=None, /):
        for name, of, known in services:
            if known == port and protocol in (None, of):
                return name
        return original(port) if protocol is None else original(port, protocol)

    return call


def _getprotobyname(original, numbers):
    def call(name, /):
        return numbers[name] if isinstance(name, str) and name in numbers else original(name)

    return call


def _getaddrinfo(original, addresses, ports):
    def call(host, port, family=0, type=0, proto=0, flags=0):
        if isinstance(port, str):
            port = ports.get(port, port)
        # As the C library: of any family is of the older one, where the file has that.
        wanted = family or _socket.AF_INET
        found = [] if flags & _socket.AI_NUMERICHOST else _known(addresses, host, wanted) or _known(addresses, host, family)
        if not found:
            return original(host, port, family, type, proto, flags)
        # Of an address the C library knows everything without a file.
        listed = [one for address in found for one in original(address, port, 0, type, proto, flags & ~_socket.AI_CANONNAME)]
        if flags & _socket.AI_CANONNAME:
            listed[0] = (*listed[0][:3], host, listed[0][4])
        return listed

    return call
