"""asyncio: children, threads, time, signals, streams."""
import asyncio
import os
import signal
import socket
import sys


async def children():
    code = "import sys; sys.stdout.write(sys.stdin.read()[::-1])"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate(b"a" * 200_000 + b"b")
    assert out.startswith(b"ba") and child.returncode == 0
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    child.terminate()
    assert await child.wait() == -signal.SIGTERM


async def streams():
    left, right = socket.socketpair()
    reader, answers = await asyncio.open_connection(sock=left)
    _, writer = await asyncio.open_connection(sock=right)
    writer.write(b"line\n")
    await writer.drain()
    assert await reader.readline() == b"line\n"
    writer.close()
    assert await reader.read() == b""
    answers.close()


async def large_streams():
    """What the socket does not take at once goes by sendmsg, which there is not."""
    left, right = socket.socketpair()
    _, answers = await asyncio.open_connection(sock=left)
    _, writer = await asyncio.open_connection(sock=right)
    writer.write(b"x" * 2_000_000)
    try:
        await writer.drain()
    except PermissionError:
        answers.close()
    else:
        raise AssertionError("sendmsg could be used")


async def pipes():
    loop, (reader, writer) = asyncio.get_running_loop(), os.pipe()
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reader, "rb"))
    transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(writer, "wb"))
    transport.write(b"x" * 300_000)
    assert len(await stream.readexactly(300_000)) == 300_000
    transport.close()


async def main():
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        pass
    assert await asyncio.to_thread(sum, [1, 2]) == 3
    items = asyncio.Queue(1)
    async with asyncio.TaskGroup() as group:
        group.create_task(items.put(1))
        assert await group.create_task(items.get()) == 1
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 10)
    loop.remove_signal_handler(signal.SIGUSR1)
    await asyncio.gather(children(), streams(), pipes(), large_streams())


asyncio.run(main(), debug=True)
# No server and no client: there is no network.
try:
    asyncio.run(asyncio.wait_for(asyncio.start_server(print, "127.0.0.1", 0), 10))
except OSError:
    pass
else:
    raise AssertionError("a socket could be made")
