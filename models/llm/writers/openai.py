"""Descriptions by a model behind an endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from models.llm.writers.base import Answer, Answers, Failure, WriterError

# So many requests in a row without any answer, each with all its retries, mean that the endpoint is gone.
_LOST = 10
# Ours decides what is said of a request; at DEBUG these write down headers.
_TALKATIVE = ("openai", "httpx", "httpcore")


class _Lost(Failure):
    """A request that no answer came to, whatever it asked."""


class OpenAIWriter:
    """Asks `model` at `base_url` (None: the library's own), `concurrency` prompts at a time.

    timeout_s: of one try. max_retries: further tries after a 408, 409, 429 or 5xx, a time-out or a broken connection;
    the `openai` library waits between them, as long as the endpoint's Retry-After says, else from half a second on,
    doubling, up to eight seconds. The key appears in no message.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None,
        api_key: str,
        max_tokens: int,
        temperature: float,
        concurrency: int,
        timeout_s: float,
        max_retries: int,
    ) -> None:
        from openai import OpenAI

        # A line break at the end of a key is not meant, and no header takes it.
        self._key = api_key.strip()
        self._client = OpenAI(base_url=base_url, api_key=self._key, timeout=timeout_s, max_retries=max_retries)
        self._asked: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
        self._model, self._concurrency, self._tries = model, concurrency, max_retries + 1

    def write(self, prompts: Sequence[str]) -> Answers:
        """As they come in. WriterError when the key or the model is refused, when the endpoint cannot be reached at the
        first request, or when ten requests in a row have got no answer."""
        if not prompts:
            return
        with _quiet(), closing(self._client):
            # Alone, so that a wrong key or address is said once and costs one request.
            first = self._ask(prompts[0])
            if isinstance(first, _Lost):
                raise WriterError(f"{self._client.base_url} gives no answer: {first.reason}")
            yield 0, first
            lost = 0
            with closing(self._ask_all(prompts)) as answers:
                for number, answer in answers:
                    yield number, answer
                    lost = lost + 1 if isinstance(answer, _Lost) else 0
                    if isinstance(answer, _Lost) and lost == _LOST:
                        where = self._client.base_url
                        raise WriterError(f"{_LOST} requests in a row to {where} got no answer: {answer.reason}")

    def _ask_all(self, prompts: Sequence[str]) -> Answers:
        """All prompts but the first. The threads die with the process, so that Ctrl-C waits for no request."""
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Answer | Failure | BaseException]] = queue.SimpleQueue()
        for number in range(1, len(prompts)):
            todo.put(number)
        stopped = threading.Event()

        def work() -> None:
            while not stopped.is_set():
                try:
                    number = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    done.put((number, self._ask(prompts[number])))
                except BaseException as error:
                    done.put((number, error))
                    return

        for _ in range(min(self._concurrency, len(prompts) - 1)):
            threading.Thread(target=work, daemon=True).start()
        try:
            for _ in range(1, len(prompts)):
                number, answer = done.get()
                if isinstance(answer, BaseException):
                    raise answer
                yield number, answer
        finally:
            stopped.set()

    def _ask(self, prompt: str) -> Answer | Failure:
        import openai

        try:
            said = self._client.chat.completions.create(messages=[{"role": "user", "content": prompt}], **self._asked)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise WriterError(
                f"{self._client.base_url} refuses the key ({self._status(error)}); set the environment variable that "
                "api_key_env names to a key that it accepts"
            ) from None
        except openai.NotFoundError as error:
            raise WriterError(
                f"{self._client.base_url} has no model '{self._model}', or is no such endpoint ({self._status(error)})"
            ) from None
        except openai.APITimeoutError:
            return _Lost(f"timed out {self._times}")
        except openai.APIStatusError as error:
            # Of these the library has tried again.
            again = error.status_code in (408, 409, 429) or error.status_code >= 500
            return _Lost(f"{self._status(error)} {self._times}") if again else Failure(self._status(error))
        except openai.APIConnectionError as error:
            return _Lost(f"no connection {self._times} ({self._safe(error.__cause__ or error)})")
        except (openai.OpenAIError, ValueError) as error:
            return Failure(f"the answer cannot be read ({self._safe(error)})")
        return _answer(said)

    @property
    def _times(self) -> str:
        return f"after {self._tries} {'try' if self._tries == 1 else 'tries'}"

    def _status(self, error: Any) -> str:
        body = error.body
        said = body.get("message") if isinstance(body, dict) else None
        return f"HTTP {error.status_code}: {self._safe(said)}" if said else f"HTTP {error.status_code}"

    def _safe(self, error: object) -> str:
        """An error in one line of a readable length, without the key, which some endpoints repeat."""
        text = " ".join(str(error).split()) or type(error).__name__
        return f"{text.replace(self._key, '***') if self._key else text:.200}"


def _answer(said: Any) -> Answer | Failure:
    """What a completion says; endpoints return anything, and the library checks none of it."""
    choices = getattr(said, "choices", None)
    if not isinstance(choices, list) or not choices:
        return Failure("the answer is no chat completion")
    text = getattr(getattr(choices[0], "message", None), "content", None)
    if text is not None and not isinstance(text, str):
        return Failure("the answer is not a text")
    if not text or not text.strip():
        return Failure("the answer is empty")
    usage = getattr(said, "usage", None)
    counts = [getattr(usage, name, 0) for name in ("prompt_tokens", "completion_tokens")]
    asked, answered = (count if isinstance(count, int) else 0 for count in counts)
    return Answer(text.strip(), asked, answered, cut=getattr(choices[0], "finish_reason", None) == "length")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a line in the run's log for each request."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
