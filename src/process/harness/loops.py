"""Event loops for scripts that are sealed: no new one could have descriptors, so those of loops that are closed serve again."""

import builtins

__builtins__ = dict(vars(builtins))

import errno
import gc
import os


def keep(count):
    """Makes what so many loops need at the same time, and has every loop of asyncio take it from there."""
    import asyncio.selector_events
    import select
    import selectors
    import socket

    polls = [select.epoll() for _ in range(count)]
    pairs = [socket.socketpair() for _ in range(count)]
    for end in (end for pair in pairs for end in pair):
        end.setblocking(False)
    # The collector ends what it finds with a loop that nobody has closed, in any order, so nothing of this may be only there.
    made = [*polls, *pairs]
    closed = select.epoll()
    closed.close()

    def take(stock):
        if not stock:
            # A loop that nobody has closed refers to itself, so only the collector finds it, and that closes it.
            gc.collect()
        if not (stock and made):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return stock.pop()

    class Selector(selectors.EpollSelector):
        _selector_cls = staticmethod(lambda: take(polls))

        def close(self):
            poll, self._selector = self._selector, closed
            if poll is closed:
                return
            for descriptor in self._fd_to_key:
                try:
                    poll.unregister(descriptor)
                except OSError:
                    pass  # it has been closed, and the kernel has forgotten it
            polls.append(poll)
            selectors._BaseSelectorImpl.close(self)

    def make_self_pipe(self):
        self._ssock, self._csock = take(pairs)
        self._internal_fds += 1
        self._add_reader(self._ssock.fileno(), self._read_from_self)

    def close_self_pipe(self):
        if getattr(self, "_ssock", None) is None:
            return  # it has never had one, because there was none left
        self._remove_reader(self._ssock.fileno())
        # What is still in there would wake the next loop.
        try:
            while self._ssock.recv(4096):
                pass
        except BlockingIOError:
            pairs.append((self._ssock, self._csock))
        except OSError:
            pass  # the script has closed it
        self._ssock = self._csock = None
        self._internal_fds -= 1

    selectors.DefaultSelector = Selector
    loop = asyncio.selector_events.BaseSelectorEventLoop
    loop._make_self_pipe, loop._close_self_pipe = make_self_pipe, close_self_pipe
