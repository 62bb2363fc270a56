"""Writes to one of its descriptors for as long as it can, in one of several ways."""
import os
import socket


def main(way):
    for number in range(3, 64):
        try:
            os.fstat(number)
        except OSError:
            continue
        if way == "rubbish":
            endless(number, os.urandom(65536))
        elif way == "zeros":
            endless(number, bytes(65536))
        elif way == "drops":
            endless(number, b"\0")
        elif way == "read":
            endless_read(number)
        elif way == "shut":
            try:
                socket.socket(fileno=os.dup(number)).shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        elif way == "swap":
            os.dup2(os.open("elsewhere", os.O_CREAT | os.O_RDWR), number)
        elif way == "descriptors":
            try:
                socket.send_fds(socket.socket(fileno=os.dup(number)), [b"x"], [0, 1, 2])
            except OSError:
                pass
    return "real"


def endless(number, data):
    try:
        while True:
            os.write(number, data)
    except OSError:
        pass


def endless_read(number):
    try:
        os.set_blocking(number, False)
        while os.read(number, 65536):
            pass
    except OSError:
        pass
