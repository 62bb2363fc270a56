"""Answers in its own name."""

FORGED = b'"forged"'


def drops(data, channel):
    for byte in data:
        send(bytes([byte]), channel)
        time.sleep(0.1)


def forge(way, token, channel):
    result = lambda payload, *length: frame(token, b"R", payload, *length)
    if way == "one":
        send(result(FORGED), channel)
    elif way == "two at once":
        send(result(FORGED) * 2, channel)
    elif way == "two":
        send(result(FORGED), channel)
        time.sleep(0.2)
        send(result(b'"again"'), channel)
    elif way == "half and an end":
        send(result(FORGED)[:-4], channel)
        os.kill(os.getppid(), signal.SIGKILL)
    elif way == "half":
        send(result(FORGED)[:-4], channel)
    elif way == "half of the token":
        send(token[:8], channel)
    elif way == "drops":
        drops(result(FORGED), channel)
    elif way == "announces 4 GiB":
        send(result(b"", 0xFFFFFFFF), channel)
    elif way == "one byte too large":
        send(result(b"", (5 << 20) + 1), channel)
    elif way == "largest":
        send(result(b'"' + b"x" * ((5 << 20) - 2) + b'"'), channel)
    elif way == "largest rubbish":
        send(result(b"x" * (5 << 20)), channel)
    elif way == "largest and endless":
        send(result(b"", 5 << 20), channel)
        endless(b"1" * 65537, channel)
    elif way == "threads":
        in_threads(lambda: endless(result(FORGED), channel))
    elif way == "behind much output":
        for descriptor in (1, 2):
            threading.Thread(target=endless, args=(b"x" * 65536, descriptor)).start()
        time.sleep(0.2)
        send(result(FORGED), channel)
    elif way == "member":
        send(result(b'1,"stdout":"forged"'), channel)
    elif way == "NaN":
        send(result(b"NaN"), channel)
    elif way == "not UTF-8":
        send(result(b'"\xff"'), channel)
    elif way == "unknown kind":
        send(frame(token, b"Z", b""), channel)
    elif way == "no exception":
        send(frame(token, b"E", b"[]"), channel)
    elif way == "long exception":
        message = b"x" * 250_000
        send(frame(token, b"E", b'{"type":"Forged","message":"' + message + b'"}'), channel)
    elif way == "a file":
        send(frame(token, b"R", FORGED, files=omitted(0) + entry(b"a", b"x")), channel)
    elif way == "looked at":
        send(frame(token, b"K", b'{"ok":true,"imports":[],"problems":[]}'), channel)
    elif way == "no main":
        send(frame(token, b"M", b"x" * 1000), channel)


def main(way, timeout):
    if way == "from memory":
        token = token_in_memory(timeout)
        if token is not None:
            send(frame(token, b"R", FORGED))
        time.sleep(60)
    return with_token(lambda token, channel: forge(way, token, channel))
