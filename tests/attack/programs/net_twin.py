"""What needs no network although it sounds like it: allowed."""
import asyncio
import http.client
import socket
import urllib.parse


async def over_a_pair():
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    other_reader, other_writer = await asyncio.open_connection(sock=theirs)
    writer.write(b"hello\n")
    other_writer.write(await other_reader.readline())
    return (await reader.readline()).decode()


def main():
    return [
        asyncio.run(over_a_pair()),
        urllib.parse.urlsplit("http://localhost:80/x").port,
        http.client.responses[200],
        socket.inet_aton("127.0.0.1").hex(),
    ]
