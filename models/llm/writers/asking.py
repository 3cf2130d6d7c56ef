"""Prompts that several threads ask at once, and what becomes of those under way when no more are asked."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable

from models.llm.writers.base import Answer, Answers, Failure

# (number of the prompt, set when no more is to be asked) -> what came of it.
Ask = Callable[[int, threading.Event], Answer | Failure]
_Told = tuple[int, Answer | Failure | BaseException]


class Asking:
    """Threads that ask `numbers` in their order, `concurrency` at a time.

    They die with the process, so that Ctrl-C waits for no request.
    """

    def __init__(self, ask: Ask, numbers: Iterable[int], concurrency: int) -> None:
        self._ask, self._stopped = ask, threading.Event()
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in numbers:
            self._todo.put(number)
        # None from each thread that has left.
        self._done: queue.SimpleQueue[_Told | None] = queue.SimpleQueue()
        self._n_threads = min(concurrency, self._todo.qsize())
        for _ in range(self._n_threads):
            threading.Thread(target=self._work, daemon=True).start()

    def answers(self) -> Answers:
        """What comes in, until all is answered; raises what a thread has raised."""
        while self._n_threads:
            told = self._done.get()
            if told is None:
                self._n_threads -= 1
                continue
            number, answer = told
            if isinstance(answer, BaseException):
                raise answer
            yield number, answer

    def rest(self, patience_s: float) -> Answers:
        """Ask no more, and wait up to `patience_s` for what is under way, which is paid for; errors are passed over."""
        self.close()
        deadline = time.monotonic() + patience_s
        while self._n_threads:
            try:
                told = self._done.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if told is None:
                self._n_threads -= 1
            elif not isinstance(told[1], BaseException):
                yield told[0], told[1]

    def close(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                number = self._todo.get_nowait()
            except queue.Empty:
                break
            try:
                self._done.put((number, self._ask(number, self._stopped)))
            except BaseException as error:
                self._done.put((number, error))
                break
        self._done.put(None)
