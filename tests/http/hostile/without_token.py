"""Does something to the channel, its token unknown."""


def close_all():
    os.closerange(0, 1024)


def shut_down():
    socket.socket(fileno=os.dup(CHANNEL)).shutdown(socket.SHUT_RDWR)


def spin():
    while True:
        pass


def fill_output():
    for descriptor in (1, 2):
        threading.Thread(target=endless, args=(b"x" * 65536, descriptor)).start()


def main(way, timeout):
    if way == "garbage":
        send(os.urandom(64))
    elif way == "huge prefix":
        send(frame(bytes(16), b"R", b"", 0xFFFFFFFF))
    elif way == "valid but for the token":
        send(frame(b"0123456789abcdef", b"R", b'"forged"'))
    elif way == "endless":
        endless(os.urandom(65536))
    elif way == "drops":
        for byte in os.urandom(1000):
            send(bytes([byte]))
            time.sleep(0.1)
    elif way == "threads":
        in_threads(lambda: endless(os.urandom(4096)))
    elif way == "garbage behind much output":
        fill_output()
        time.sleep(0.2)
        send(os.urandom(64))
    elif way == "spins":
        spin()
    elif way == "closes and sleeps":
        close_all()
    elif way == "closes and spins":
        close_all()
        spin()
    elif way == "closes and exits":
        close_all()
        os._exit(3)
    elif way == "closes and returns":
        close_all()
        return 5
    elif way == "shuts down and sleeps":
        shut_down()
    elif way == "shuts down and returns":
        shut_down()
        return 5
    elif way == "shuts down and fills the output":
        shut_down()
        fill_output()
    time.sleep(60)
