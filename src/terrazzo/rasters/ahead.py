"""Work on other threads whose results come in order, never more of it in memory than a few items a thread."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(function: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """What the function makes of each item, in their order; at most `threads` + 1 results wait to be taken.

    Whoever stops taking, or an item that fails, ends the work: what is begun is finished, nothing else is begun.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    pending: deque[Future[Made]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def drawn_ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """Draw items on one thread, in order, at most `depth` ahead; its errors are raised here."""
    iterator = iter(items)
    pending: deque[Future[Item | None]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        try:
            while True:
                while len(pending) < depth:
                    pending.append(pool.submit(next, iterator, None))
                item = pending.popleft().result()
                if item is None:
                    return
                yield item
        finally:
            for future in pending:
                future.cancel()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
