"""The writer behind an endpoint, against a real server that answers well, badly, late or not at all."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

import pytest

from models.llm.writers.asking import Asking
from models.llm.writers.base import Answer, Answers, Failure, WriterError
from models.llm.writers.openai import OpenAIWriter
from tests.models.llm.endpoint import KEY, Behaviour, Endpoint, Reply, completion, refusal, serving, well

PROMPTS = [f"Describe item {number}." for number in range(6)]
# A server that says how long to wait; the library's own waits are longer than a test wants.
AT_ONCE = {"Retry-After": "0.01"}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def _ask(endpoint: Endpoint, prompts: list[str] = PROMPTS, **given: Any) -> dict[int, Answer | Failure]:
    options: dict[str, Any] = {"concurrency": 2, "timeout_s": 5.0, "max_retries": 2, "max_tokens": 50, **given}
    writer = OpenAIWriter("tiny-model", endpoint.url, api_key=options.pop("api_key", KEY), temperature=0.0, **options)
    return dict(writer.write(prompts))


def _collect(stream: Answers, into: dict[int, Answer | Failure]) -> None:
    for number, answer in stream:
        into[number] = answer


def _throttled_once(prompt: str, before: int) -> Reply:
    return well(prompt, before) if before else refusal(429, "slow", **AT_ONCE)


def _of(behave: Behaviour, prompts: list[str] = PROMPTS[:1], **given: Any) -> tuple[Answer | Failure, int]:
    """The answer to the first prompt, and how often the endpoint was asked."""
    with serving(behave) as endpoint:
        return _ask(endpoint, prompts, **given)[0], len(endpoint.prompts)


def test_each_prompt_is_asked_once_and_gets_its_own_answer() -> None:
    with serving() as endpoint:
        answers = _ask(endpoint)
    assert answers == {number: Answer(f"About: {prompt}", 7, 3) for number, prompt in enumerate(PROMPTS)}
    assert sorted(endpoint.prompts) == PROMPTS
    assert endpoint.keys == {f"Bearer {KEY}"}
    assert endpoint.bodies[0] == {
        "model": "tiny-model",
        "messages": [{"role": "user", "content": PROMPTS[0]}],
        "max_tokens": 50,
        "temperature": 0.0,
    }


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_are_under_way_at_once_than_allowed(concurrency: int) -> None:
    with serving(lambda prompt, before: Reply(completion("ok").body, after_s=0.05)) as endpoint:
        answers = _ask(endpoint, [*PROMPTS, *PROMPTS], concurrency=concurrency)
    assert len(answers) == 12
    # The first goes alone; three threads are at work on the other eleven.
    assert endpoint.most_at_once == concurrency


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_throttled_or_broken_request_is_tried_again(status: int) -> None:
    answer, asked = _of(lambda prompt, before: refusal(status, "slow", **AT_ONCE) if before < 2 else completion("ok"))
    assert answer == Answer("ok", 7, 3)
    assert asked == 1 + 2


def test_retry_after_is_honoured() -> None:
    with serving(lambda p, before: refusal(429, "slow", **{"Retry-After": "0.4"}) if not before else well(p, 1)) as at:
        _ask(at, PROMPTS[:1])
    assert 0.4 <= at.at[1] - at.at[0] < 2


def test_too_long_a_wait_is_not_waited_for_and_the_row_says_that_it_was_tried_once() -> None:
    def behave(prompt: str, before: int) -> Reply:
        return refusal(429, "slow", **{"Retry-After": "121"}) if prompt == PROMPTS[1] else well(prompt, before)

    with serving(behave) as endpoint:
        answers = _ask(endpoint, PROMPTS[:2], max_retries=5)
    assert answers[1].__dict__ == {"reason": "HTTP 429: slow after 1 try; it asks for a wait of more than 120 s"}
    assert len(endpoint.prompts) == 2


def test_a_row_that_fails_each_time_says_how_often_it_was_tried() -> None:
    def behave(prompt: str, before: int) -> Reply:
        return refusal(500, "overloaded", **AT_ONCE) if prompt == PROMPTS[3] else well(prompt, before)

    with serving(behave) as endpoint:
        answers = _ask(endpoint)
    assert answers[3].__dict__ == {"reason": "HTTP 500: overloaded after 3 tries"}
    assert endpoint.prompts.count(PROMPTS[3]) == 1 + 2
    assert [type(answers[number]) for number in (0, 1, 2, 4, 5)] == [Answer] * 5


def test_a_request_that_hangs_is_given_up() -> None:
    def behave(prompt: str, before: int) -> Reply:
        return Reply(after_s=1.5) if prompt == PROMPTS[1] else well(prompt, before)

    with serving(behave) as endpoint:
        answers = _ask(endpoint, PROMPTS[:3], timeout_s=0.2, max_retries=0)
    assert answers[1].__dict__ == {"reason": "timed out after 1 try"}
    assert isinstance(answers[2], Answer)


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    answer, asked = _of(lambda prompt, before: Reply(completion("whole").body, cut=before == 0))
    assert answer == Answer("whole", 7, 3)
    assert asked == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (completion(""), "the answer is empty"),
        (completion("  \n"), "the answer is empty"),
        (completion(None), "the answer is empty"),
        (completion(["a", "b"]), "the answer is not a text"),
        (completion({"text": "x"}), "the answer is not a text"),
        (Reply(b'{"choices": []}'), "the answer is no chat completion"),
        (Reply(b"{}"), "the answer is no chat completion"),
        (Reply(b"[]"), "the answer is no chat completion"),
        (Reply(b"3"), "the answer is no chat completion"),
        (Reply(b"<html>welcome</html>", headers={"Content-Type": "text/html"}), "the answer is no chat completion"),
        (Reply(b"no JSON"), "the answer cannot be read (Expecting value: line 1 column 1 (char 0))"),
        (Reply(b""), "the answer cannot be read (Expecting value: line 1 column 1 (char 0))"),
        (refusal(413, "too large"), "HTTP 413: too large"),
    ],
)
def test_an_answer_that_is_none_fails_its_row_alone(reply: Reply, reason: str) -> None:
    with serving(lambda prompt, before: reply if prompt == PROMPTS[0] else well(prompt, before)) as endpoint:
        answers = _ask(endpoint, PROMPTS[:2])
    assert answers[0] == Failure(reason)
    assert isinstance(answers[1], Answer)
    assert len(endpoint.prompts) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (refusal(400, "context length exceeded"), "HTTP 400: context length exceeded"),
        (Reply(b"oops", status=422), "HTTP 422"),
    ],
)
def test_a_refused_prompt_fails_its_row_alone(reply: Reply, reason: str) -> None:
    with serving(lambda prompt, before: reply if prompt in PROMPTS[:3] else well(prompt, before)) as endpoint:
        answers = _ask(endpoint)
    assert [answers[number].__dict__ for number in range(3)] == [{"reason": reason}] * 3
    assert [type(answers[number]) for number in (3, 4, 5)] == [Answer] * 3
    # A plain prompt, after the first, has told that it was the prompt.
    assert endpoint.prompts[:2] == [PROMPTS[0], "Say hello."]
    assert sorted(endpoint.prompts[2:]) == PROMPTS[1:]


@pytest.mark.parametrize("status", [400, 422])
def test_a_way_of_asking_that_is_refused_stops_everything_after_two_requests(status: int) -> None:
    said = "Unsupported parameter: 'max_tokens' is not supported with this model."
    with serving(lambda prompt, before: refusal(status, said)) as endpoint:
        with pytest.raises(WriterError) as caught:
            _ask(endpoint)
        assert str(caught.value) == (
            f"{endpoint.url}/ refuses every request, whatever its prompt (HTTP {status}: {said}); sent: "
            "model 'tiny-model', max_tokens 50, temperature 0.0"
        )
    assert len(endpoint.prompts) == 2


def test_an_answer_that_was_cut_is_kept_and_marked() -> None:
    answer, _ = _of(lambda prompt, before: completion("half a", finish_reason="length"))
    assert answer == Answer("half a", 7, 3, cut=True)


def test_usage_is_not_needed() -> None:
    said = b'{"choices": [{"message": {"content": " ok "}}], "usage": {"prompt_tokens": "many"}}'
    assert _of(lambda prompt, before: Reply(said))[0] == Answer("ok")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_everything_and_is_never_shown(status: int) -> None:
    with serving(lambda prompt, before: refusal(status, f"Incorrect API key: {KEY}")) as endpoint:
        with pytest.raises(WriterError) as caught:
            _ask(endpoint)
        assert str(caught.value) == (
            f"{endpoint.url}/ refuses the key (HTTP {status}: Incorrect API key: ***); set the environment variable "
            "that api_key_env names to a key that it accepts"
        )
    assert len(endpoint.prompts) == 1


def test_a_model_that_the_endpoint_does_not_have_stops_everything() -> None:
    said = r"has no model 'tiny-model', or is no such endpoint \(HTTP 404: no such model\)"
    with (
        serving(lambda prompt, before: refusal(404, "no such model")) as endpoint,
        pytest.raises(WriterError, match=said),
    ):
        _ask(endpoint)
    assert len(endpoint.prompts) == 1


def test_an_endpoint_that_is_down_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = Endpoint(well, free.getsockname()[1])
    with pytest.raises(WriterError, match=r"gives no answer: no connection after 1 try \(.*refused"):
        _ask(endpoint, max_retries=0)


def test_a_password_in_an_address_is_not_shown() -> None:
    with (
        serving(lambda prompt, before: refusal(404, "no")) as endpoint,
        pytest.raises(WriterError, match=rf"^http://127\.0\.0\.1:{endpoint.port}/v1/ has no model"),
    ):
        list(OpenAIWriter("m", endpoint.url.replace("//", "//me:word@"), KEY, 50, 0.0, 1, 5, 0).write(["x"]))


def test_ten_requests_in_a_row_without_an_answer_stop_everything() -> None:
    def behave(prompt: str, before: int) -> Reply:
        return completion("ok") if prompt == "first" else refusal(503, "gone")

    answers: dict[int, Answer | Failure] = {}
    with serving(behave) as endpoint:
        writer = OpenAIWriter("m", endpoint.url, KEY, 50, 0.0, concurrency=1, timeout_s=5, max_retries=0)
        stream = writer.write(["first", *map(str, range(30))])
        with pytest.raises(WriterError, match=r"10 requests in a row to .* got no answer: HTTP 503: gone after 1 try"):
            _collect(stream, answers)
    assert answers[0] == Answer("ok", 7, 3)
    # One more may have been under way.
    assert 1 + 10 <= len(answers) == len(endpoint.prompts) <= 1 + 10 + 1


def test_what_is_under_way_when_the_key_is_refused_is_waited_for_and_kept() -> None:
    """Eight at a time: the key is refused at the sixth request, while seven others are under way."""

    def behave(prompt: str, before: int) -> Reply:
        if prompt == "5":
            return refusal(401, "expired")
        return Reply(completion(prompt).body, after_s=0.3)

    answers: dict[int, Answer | Failure] = {}
    with serving(behave) as endpoint:
        writer = OpenAIWriter("m", endpoint.url, KEY, 50, 0.0, concurrency=8, timeout_s=5, max_retries=0)
        with pytest.raises(WriterError, match="refuses the key"):
            _collect(writer.write([str(number) for number in range(50)]), answers)
    assert answers == {number: Answer(str(number), 7, 3) for number in (0, 1, 2, 3, 4, 6, 7, 8)}
    assert len(endpoint.prompts) == 9


def test_who_waits_for_another_try_when_all_stops_makes_none() -> None:
    def behave(prompt: str, before: int) -> Reply:
        if prompt == "2":
            return Reply(refusal(401, "expired").body, 401, after_s=0.2)
        return refusal(429, "slow", **{"Retry-After": "60"}) if prompt == "1" else completion("ok")

    answers: dict[int, Answer | Failure] = {}
    with serving(behave) as endpoint:
        writer = OpenAIWriter("m", endpoint.url, KEY, 50, 0.0, concurrency=2, timeout_s=5, max_retries=3)
        started = time.monotonic()
        with pytest.raises(WriterError, match="refuses the key"):
            _collect(writer.write(["0", "1", "2"]), answers)
        assert time.monotonic() - started < 2
    assert answers[1].__dict__ == {"reason": "HTTP 429: slow after 1 try"}
    assert sorted(endpoint.prompts) == ["0", "1", "2"]


def test_requests_under_way_are_waited_for_no_longer_than_one_try() -> None:
    def ask(number: int, stopped: threading.Event) -> Answer | Failure:
        if number == 1:
            raise WriterError("gone")
        stopped.wait(9)
        time.sleep(1.5)
        return Answer("late")

    asking = Asking(ask, [1, 2], concurrency=2)
    with pytest.raises(WriterError):
        list(asking.answers())
    started = time.monotonic()
    assert list(asking.rest(0.1)) == []
    assert time.monotonic() - started < 1


def test_who_stops_listening_leaves_no_request_behind() -> None:
    with serving() as endpoint:
        writer = OpenAIWriter("m", endpoint.url, KEY, 50, 0.0, concurrency=2, timeout_s=5, max_retries=0)
        answers = writer.write([str(number) for number in range(200)])
        next(answers)
        answers.close()
    assert len(endpoint.prompts) == 1


def test_a_key_with_a_line_break_is_taken_without_it() -> None:
    with serving() as endpoint:
        _ask(endpoint, PROMPTS[:1], api_key=f"{KEY}\n")
    assert endpoint.keys == {f"Bearer {KEY}"}


def test_requests_leave_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Nor any other line: whatever the libraries below are called, nothing is said but by us, who say nothing."""
    with caplog.at_level(logging.DEBUG), serving(_throttled_once) as endpoint:
        _ask(endpoint)
        logging.getLogger("tests").debug("still heard")
    assert len(endpoint.prompts) == 2 * len(PROMPTS)
    assert [record.name for record in caplog.records] == ["tests"]


def test_nothing_to_ask_asks_nothing() -> None:
    with serving() as endpoint:
        assert _ask(endpoint, []) == {}
    assert endpoint.prompts == []
