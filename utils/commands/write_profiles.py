"""`write_profiles`: descriptions of users and items, by a template or by a language model.

`utils.knowledge.prompt_checks` says what is wrong before anything runs, `utils.knowledge.prompts` tells the templates
what is known, `models.llm.writers` answer, and `utils.data.profile_job` writes down what a file lacks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.knowledge.prompt_checks import bad_endpoint, bad_templates, missing_files, missing_model, unread
from utils.paths import LLM_MODELS_DIR
from utils.scenario.errors import StepError
from utils.scenario.vector_names import ProfileLinesName

if TYPE_CHECKING:
    from models.llm.writers.base import Writer
    from utils.data.profile_job import Ask, Outcome
    from utils.data.prompts import PromptTemplate
    from utils.data.sides import Side
    from utils.knowledge.prompts import Prompts

_SHOWN = 2
# The library wants one; an endpoint that asks for none does not look at it.
_NO_KEY = "none"
# English has about four characters to a token.
_CHARACTERS_PER_TOKEN = 4


@command("write_profiles")
class WriteProfiles(Command):
    """Describe users (what they liked) and items, by a template or by a language model, one JSON line each.

    A user's prompt is written from the train part only. What was written is kept and never asked again, also after a
    kill; a new prompt is appended and counts from then on.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    users_file: ProfileLinesName | None = Field(None, description="Profile file to write for users.")
    items_file: ProfileLinesName | None = Field(None, description="Profile file to write for items.")
    writer: Literal["template", "local", "openai"] = Field(
        "template", description="The rendered template itself, a model on this machine, or one behind an endpoint."
    )
    model: str | None = Field(
        None, description="local: a folder, a hub's name, or SmolLM2-135M-Instruct (default); openai: its name there."
    )
    base_url: str | None = Field(None, description="The endpoint, as http://localhost:8000/v1; default OpenAI's.")
    api_key_env: str | None = Field(
        "OPENAI_API_KEY", description="The environment variable that holds the key; null for an endpoint without."
    )
    users_prompt: str | None = Field(None, description="A jinja2 file for users' prompts; default ours.")
    items_prompt: str | None = Field(None, description="A jinja2 file for items' prompts; default ours.")
    max_tokens: PositiveInt = Field(200, description="A description ends after so many tokens.")
    temperature: NonNegativeFloat = Field(0.0, description="0 takes the likeliest token each time.")
    batch_size: PositiveInt = Field(16, description="How many prompts the local model answers at once.")
    concurrency: PositiveInt = Field(4, description="How many requests are under way at once.")
    timeout_s: PositiveFloat = Field(60.0, description="Seconds that one try of a request may take.")
    max_retries: NonNegativeInt = Field(5, description="How often a throttled or broken request is tried again.")
    limit: PositiveInt | None = Field(None, description="Only the first so many users and items, for a try.")
    liked_rating: float = Field(4, description="A rating from which on an item counts as liked.")
    most_items: PositiveInt = Field(20, description="How many items, the latest first, each list of a user holds.")
    knowledge_graph: bool = Field(False, description="Tell what the dataset's .kg says of items, as `facts`.")
    dry_run: bool = Field(False, description="Show the first prompts and what all would cost; write nothing.")
    failures: Literal["error", "skip"] = Field("error", description="Whether rows without an answer end the run.")
    overwrite: bool = Field(False, description="Let new descriptions replace those of other prompts or train parts.")

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.users_file is None and self.items_file is None:
            yield Complaint((), "there is nothing to write; give users_file or items_file")
        if self.users_file is not None and self.users_file == self.items_file:
            yield Complaint(("items_file",), "is the users' file as well; name another one")
        yield from unread(self.model_fields_set, self.writer, self.files)
        given: dict[Side, str | None] = {side: getattr(self, f"{side}_prompt") for side in self.files}
        yield from bad_templates(self.template, given, self.knowledge_graph)
        yield from missing_files(view.settings, "items" in self.files, self.knowledge_graph)
        if self.writer == "local":
            yield from missing_model(self.model_name)
        if self.writer == "openai":
            yield from bad_endpoint(self.model, self.base_url, self.api_key_env, needs_key=not self.dry_run)

    def vector_files_written(self) -> Iterable[str]:
        return [] if self.dry_run else self.files.values()

    def run(self, ctx: RunContext) -> StepResult:
        from utils.knowledge.prompts import prompts

        templates = {side: self.template(side) for side in self.files}
        # All of them before a model is asked for the first: a template's mistake shows here.
        told = prompts(ctx, templates, self.liked_rating, self.most_items, self.knowledge_graph)
        asks = {side: self._asks(ctx, templates[side], told[side]) for side in told}
        if self.dry_run:
            return self._estimate(ctx, asks, told)
        outcomes = self._write(ctx, asks)
        lines = [self._summary(side, outcome, told[side].total) for side, outcome in outcomes.items()]
        if self.failures == "error" and any(outcome.failures for outcome in outcomes.values()):
            raise StepError(None, f"{'; '.join(lines)}; what is written is kept: run it again to ask for the rest")
        facts: dict[str, Any] = {side: _facts(outcome, told[side].total) for side, outcome in outcomes.items()}
        return StepResult(facts=facts, summary="; ".join(lines))

    @property
    def files(self) -> dict[Side, str]:
        """The files to write, by side."""
        named: dict[Side, str | None] = {"items": self.items_file, "users": self.users_file}
        return {side: name for side, name in named.items() if name is not None}

    @property
    def model_name(self) -> str:
        """What the profiles say they are by."""
        from models.llm.causal_lm import SMOLLM2

        return "template" if self.writer == "template" else self.model or SMOLLM2

    def template(self, side: Side) -> PromptTemplate:
        """The side's template; PromptError where it cannot be read."""
        import models.llm
        from utils.data.prompts import read_template

        kind = "text" if self.writer == "template" else "prompt"
        given = getattr(self, f"{side}_prompt")
        return read_template(Path(given or Path(models.llm.__path__[0]) / "prompts" / f"{side}_{kind}.j2"))

    def _asks(self, ctx: RunContext, template: PromptTemplate, told: Prompts) -> list[Ask]:
        from utils.data.profile_job import Ask, prompt_sha

        generation: dict[str, Any] = {}
        if self.writer != "template":
            generation = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        if self.writer == "local" and self.temperature:
            generation["seed"] = ctx.recbole_config()["seed"]
        fingerprint = ctx.train_fingerprint if template.reads_interactions else None
        return [
            Ask(token, prompt, prompt_sha(self.model_name, prompt, generation), fingerprint)
            for token, prompt in list(told.texts.items())[: self.limit]
        ]

    def _write(self, ctx: RunContext, asks: Mapping[Side, list[Ask]]) -> dict[Side, Outcome]:
        from models.llm.writers.base import WriterError
        from utils.data.profile_job import write_down
        from utils.data.profiles import ProfileError

        writer, outcomes = self._writer(ctx), {}
        for side, name in self.files.items():
            if not asks[side]:
                raise StepError(f"{side}_file", f"there is nothing to say about any of the {side}")
            try:
                outcomes[side] = write_down(
                    ctx.vector_path(name),
                    asks[side],
                    writer,
                    self.model_name,
                    (side, str(ctx.settings["dataset"])),
                    self.overwrite,
                    partial(_bar, ctx, side),
                    partial(ctx.console.line, f"        waiting for another run that writes {name}"),
                )
            except ProfileError as error:
                raise StepError(f"{side}_file", str(error)) from error
            except WriterError as error:
                raise StepError(None, f"{error}; what is written is kept: run it again to ask for the rest") from None
        return outcomes

    def _writer(self, ctx: RunContext) -> Callable[[], Writer]:
        if self.writer == "template":
            from models.llm.writers.template import TemplateWriter

            return TemplateWriter
        if self.writer == "local":
            from models.llm.causal_lm import CausalLMError, load, needs_conversion
            from models.llm.writers.local import LocalWriter

            config = ctx.recbole_config()

            @lru_cache
            def local() -> Writer:
                if needs_conversion(self.model_name, LLM_MODELS_DIR):
                    ctx.console.line(f"        converting {self.model_name} to {LLM_MODELS_DIR}, once")
                try:
                    lm = load(self.model_name, config["device"], LLM_MODELS_DIR)
                except CausalLMError as error:
                    raise StepError("model", str(error)) from error
                return LocalWriter(lm, self.max_tokens, self.temperature, self.batch_size, config["seed"])

            return local
        from models.llm.writers.openai import OpenAIWriter

        # Read here and held nowhere: what a command holds is written down.
        key = _NO_KEY if self.api_key_env is None else os.environ.get(self.api_key_env, "")
        return lambda: OpenAIWriter(
            self.model_name, self.base_url, key, self.max_tokens, self.temperature, self.concurrency, self.timeout_s,
            self.max_retries,
        )  # fmt: skip

    def _summary(self, side: Side, outcome: Outcome, total: int) -> str:
        described = outcome.written + outcome.kept
        kept = f" ({outcome.kept:,} kept)" if outcome.kept else ""
        line = f"{self.files[side]}: {described:,} of {total:,} {side} described{kept}"
        if outcome.prompt_tokens or outcome.completion_tokens:
            line += f", {outcome.prompt_tokens:,} + {outcome.completion_tokens:,} tokens"
        if outcome.cut:
            line += f", {outcome.cut:,} cut at max_tokens"
        if outcome.failures:
            reason, count = outcome.failures.most_common(1)[0]
            line += f", {outcome.failures.total():,} failed, {count:,} of them: {reason}"
        return line

    def _estimate(self, ctx: RunContext, asks: Mapping[Side, list[Ask]], told: Mapping[Side, Prompts]) -> StepResult:
        """What a run would ask: the first prompts in full, and how many tokens all have."""
        from utils.data.profile_job import todo
        from utils.data.profiles import ProfileError

        shown, lines = [], []
        facts: dict[str, Any] = {}
        for side, name in self.files.items():
            shown += [f"{side[:-1]} '{ask.id}':\n{ask.prompt}\n" for ask in asks[side][:_SHOWN]]
            try:
                left = todo(ctx.vector_path(name), asks[side])
            except ProfileError as error:
                raise StepError(f"{side}_file", str(error)) from error
            line = f"{name}: {len(left.asks):,} of {told[side].total:,} {side} would be asked"
            facts[side] = {side: told[side].total, "asked": len(left.asks)}
            if self.writer != "template":
                tokens, how = self._tokens([ask.prompt for ask in left.asks])
                line += f", {tokens:,} prompt tokens ({how}) and at most {len(left.asks) * self.max_tokens:,} more"
                facts[side]["prompt_tokens"] = tokens
            lines.append(line)
        return StepResult(facts=facts, summary=f"{'; '.join(lines)}; nothing was written", show="\n".join(shown))

    def _tokens(self, texts: list[str]) -> tuple[int, str]:
        """How many tokens prompts have, and how they were counted."""
        if self.writer == "openai":
            return sum(map(len, texts)) // _CHARACTERS_PER_TOKEN, f"{_CHARACTERS_PER_TOKEN} characters each, roughly"
        from models.llm.causal_lm import CausalLMError, load_tokenizer

        try:
            tokenizer = load_tokenizer(self.model_name, LLM_MODELS_DIR)
        except CausalLMError as error:
            raise StepError("model", str(error)) from error
        return sum(map(len, tokenizer(texts).input_ids)) if texts else 0, "by the model's tokenizer"


def _bar(ctx: RunContext, side: Side, total: int) -> Any:
    return ctx.console.bar(total, f"describing {side}")


def _facts(outcome: Outcome, total: int) -> dict[str, Any]:
    return {
        "rows": total,
        "written": outcome.written,
        "kept": outcome.kept,
        "failed": outcome.failures.total(),
        "failures": dict(outcome.failures),
        "cut": outcome.cut,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
    }
