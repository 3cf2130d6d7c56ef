"""Descriptions by a model behind an endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from models.llm.writers.asking import Asking
from models.llm.writers.base import Answer, Answers, Failure, WriterError
from models.llm.writers.retries import MOST_WAIT_S, is_lost, retry_after_s, wait_s

# So many requests in a row without any answer, each with all its retries, mean that the endpoint is gone.
_LOST = 10
# What any model answers, unless it refuses how it is asked.
_PLAIN_PROMPT = "Say hello."
# Ours decides what is said of a request; at DEBUG these write down headers. `openai` has changed its HTTP library
# once already.
_TALKATIVE = ("openai", "httpx", "httpcore", "httpx2", "httpcore2")


class _Lost(Failure):
    """A request that no answer came to, whatever it asked."""


class _Refused(Failure):
    """A request that the endpoint does not take as it is (HTTP 400 or 422): its prompt, or how it is asked."""


@dataclass(frozen=True)
class _NoAnswer:
    """One try that a further one may mend; `detail` is for people, `headers` say when to come back."""

    what: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def after(self, n_tries: int) -> _Lost:
        """What it comes to when there is no further try."""
        patience = retry_after_s(self.headers) or 0.0
        more = f"; it asks for a wait of more than {MOST_WAIT_S:.0f} s" if patience > MOST_WAIT_S else ""
        return _Lost(f"{self.what} after {n_tries} {'try' if n_tries == 1 else 'tries'}{self.detail}{more}")


class OpenAIWriter:
    """Asks `model` at `base_url` (None: the library's own), `concurrency` prompts at a time.

    timeout_s: of one try. max_retries: further tries after a 408, 409, 429 or 5xx, a time-out or a broken connection;
    `retries.wait_s` says when, and where an endpoint asks for too long a wait there is none. The key appears in no
    message.
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
        # The library's own retries cannot be counted, nor ended when the others stop.
        self._client = OpenAI(base_url=base_url, api_key=self._key, timeout=timeout_s, max_retries=0)
        self._asked: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
        self._model, self._concurrency, self._timeout_s = model, concurrency, timeout_s
        self._most_tries = max_retries + 1

    def write(self, prompts: Sequence[str]) -> Answers:
        """As they come in.

        WriterError when the key, the model or every request is refused, when the endpoint cannot be reached at the
        first request, or when ten requests in a row have got no answer. What is under way then is waited for, up to
        `timeout_s`, and comes before the error.
        """
        if not prompts:
            return
        with _quiet(), closing(self._client):
            yield 0, self._ask_first(prompts[0])

            def ask(number: int, stopped: threading.Event) -> Answer | Failure:
                return self._ask(prompts[number], stopped)

            with closing(Asking(ask, range(1, len(prompts)), self._concurrency)) as asking:
                lost = 0
                try:
                    for number, answer in asking.answers():
                        yield number, answer
                        lost = lost + 1 if isinstance(answer, _Lost) else 0
                        if isinstance(answer, _Lost) and lost == _LOST:
                            where = self._where
                            raise WriterError(f"{_LOST} requests in a row to {where} got no answer: {answer.reason}")
                except Exception:
                    yield from asking.rest(self._timeout_s)
                    raise

    def _ask_first(self, prompt: str) -> Answer | Failure:
        """Alone, so that a wrong key or address, or a setting that the model does not take, is said once."""
        never = threading.Event()
        first = self._ask(prompt, never)
        if isinstance(first, _Lost):
            raise WriterError(f"{self._where} gives no answer: {first.reason}")
        # A prompt may be too long or not to the endpoint's liking; a plain one tells that from how it is asked.
        if isinstance(first, _Refused) and isinstance(plain := self._ask(_PLAIN_PROMPT, never), _Refused):
            sent = ", ".join(f"{name} {value!r}" for name, value in self._asked.items())
            raise WriterError(
                f"{self._where} refuses every request, whatever its prompt ({plain.reason}); sent: {sent}"
            )
        return first

    def _ask(self, prompt: str, stopped: threading.Event) -> Answer | Failure:
        """The answer of one of the tries; no further one is made once `stopped` is set."""
        n_tries = 1
        while isinstance(said := self._try(prompt), _NoAnswer):
            wait = wait_s(n_tries, said.headers) if n_tries < self._most_tries else None
            if wait is None or stopped.wait(wait):
                return said.after(n_tries)
            n_tries += 1
        return said

    def _try(self, prompt: str) -> Answer | Failure | _NoAnswer:
        import openai

        try:
            said = self._client.chat.completions.create(messages=[{"role": "user", "content": prompt}], **self._asked)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise WriterError(
                f"{self._where} refuses the key ({self._status(error)}); set the environment variable that "
                "api_key_env names to a key that it accepts"
            ) from None
        except openai.NotFoundError as error:
            raise WriterError(
                f"{self._where} has no model '{self._model}', or is no such endpoint ({self._status(error)})"
            ) from None
        except openai.APITimeoutError:
            return _NoAnswer("timed out")
        except openai.APIStatusError as error:
            if is_lost(error.status_code):
                return _NoAnswer(self._status(error), headers=error.response.headers)
            return (_Refused if error.status_code in (400, 422) else Failure)(self._status(error))
        except openai.APIConnectionError as error:
            return _NoAnswer("no connection", f" ({self._safe(error.__cause__ or error)})")
        except (openai.OpenAIError, ValueError) as error:
            return Failure(f"the answer cannot be read ({self._safe(error)})")
        return _answer(said)

    @property
    def _where(self) -> str:
        """The endpoint, without what a person may have put into its address as a password."""
        url = self._client.base_url
        return f"{url.scheme}://{url.netloc.decode()}{url.path}"

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
