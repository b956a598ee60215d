"""Asking the plugins: who answered, who wrapped the answer, and errors that name both."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import pluggy

from flyte_wandb_hookspecs import PROJECT_NAME, HookSpecs, PlanRefusedError, Step, Strategy, strategy_name

from .._errors import FlyteWandbError, HookError, PluginError, RefusedError, UnansweredError
from .._logging import log_once, suggest_name
from ._fit import DECIDING_HOOKS, MisfitError, check_plugin

Check = Callable[[Any], str | None]
"""Says what is wrong with a hook's answer, or None."""


BUILT_IN: Final = "builtin"
"""The plugin that answers what no other has answered, so that nothing is its fault where another took part."""

SLOW_SECONDS: Final = 1.0
"""A hook that takes longer is worth a warning."""

_LONGEST_ANSWER: Final = 500
"""Characters of an answer that an error shows."""

_KINDS: Final = ("run_mode", "rank_scope")
"""The settings that name a strategy."""

_LOST: Final = "the answer got lost in a wrapper: let the wrapper return what is to be the answer"

_AskAlone = tuple[str, Callable[[Mapping[str, Any]], Any]]
"""Name of a plugin, and how to call its implementation of one hook without asking the others."""


class _DecisionHook(NamedTuple):
    """One decision hook, as the plugins of the moment implement it.

    Attributes:
        implementations: What is called until one answers, in pluggy's order, and the arguments that each takes.
        wrappers: Names of the plugins that wrap it, the outermost last.
    """

    implementations: tuple[tuple[Callable[..., Any], tuple[str, ...]], ...]
    wrappers: tuple[str, ...]

    def first_answer(self, arguments: Mapping[str, Any]) -> Any:
        """Return the first answer, or None. As pluggy does where nobody wraps the hook, in a third of its time."""
        for function, names in self.implementations:
            value = function(*[arguments[name] for name in names])
            if value is not None:
                return value
        return None


class _LastAnswer(threading.local):
    """The plugin that answered last, per thread: hooks are plain calls that finish where they began.

    pluggy does not say which plugin an answer is from (pluggy#235), so every implementation notes itself here.
    """

    plugin: str | None = None


class StrategyManager:
    """The installed plugins of one process, and the one way to ask them.

    >>> manager = StrategyManager()
    >>> import flyte_wandb_builtin_strategies as builtin
    >>> manager.register(builtin, name="builtin")
    >>> [strategy.name for strategy in manager.strategies("rank_scope")]
    ['global', 'worker']
    """

    def __init__(self) -> None:
        self._plugins = pluggy.PluginManager(PROJECT_NAME)
        self._plugins.add_hookspecs(HookSpecs)
        self._last_answer = _LastAnswer()
        self._origins: dict[str, str] = {}
        self.changes = 0
        """How often plugins were added or taken out: what they have answered before holds for as long."""
        self._forget_hooks()
        # By kind and name: the plugin that brings the strategy, and the strategy.
        self._strategies: dict[tuple[str, str], tuple[str, Strategy]] = {}

    def register(self, plugin: object, *, name: str, origin: str = "registered in this process") -> None:
        """Add a plugin: a module or an object with hook implementations.

        Args:
            plugin: The module or object.
            name: Its unique name, used in every message about it.
            origin: Where it came from, such as its distribution and version.

        Raises:
            PluginError: The name or one of its strategies is taken, or it does not fit the contract. The message says
                what to write instead.
        """
        if name in self._origins:
            raise PluginError(
                f"two plugins are called {name!r}: {self._origins[name]} and {origin}; rename or uninstall one of them"
            )
        try:
            with _naming_register_errors(name, origin):
                strategies = check_plugin(plugin)
                self._refuse_second_name(plugin)
                self._plugins.register(plugin, name=name)
                self._credit_hooks(plugin)
                self._claim_strategies(strategies, name)
        except BaseException:
            # pluggy 1.6 keeps a plugin whose registration failed.
            self.unregister(name)
            raise
        self._origins[name] = origin
        self._forget_hooks()

    def unregister(self, name: str) -> None:
        """Take the plugin called `name` out again; unknown names are ignored."""
        if self._plugins.has_plugin(name):
            self._plugins.unregister(name=name)
        self._origins.pop(name, None)
        self._forget_hooks()
        self._strategies = {key: owned for key, owned in self._strategies.items() if owned[0] != name}

    def _forget_hooks(self) -> None:
        # By hook, because pluggy copies its list of implementations each time; empty again when plugins change.
        self._decision_hooks: dict[str, _DecisionHook] = {}
        self._askable_alone: dict[str, list[_AskAlone]] = {}
        self.changes += 1

    def ask(self, hook: str, check: Check, /, **arguments: Any) -> Step | None:
        """Ask a decision hook. Return its checked answer with its author, or None if nobody answered.

        Raises:
            RefusedError: A plugin raised `PlanRefusedError`.
            HookError: A plugin failed, or its answer does not pass `check`.
        """
        # A plugin may ask a hook inside a hook, so the answer of the outer one is put back.
        asked, last = self._look_at_hook(hook), self._last_answer
        outer, last.plugin = last.plugin, None
        try:
            value = getattr(self._plugins.hook, hook)(**arguments) if asked.wrappers else asked.first_answer(arguments)
            plugin = last.plugin
        finally:
            last.plugin = outer
        if plugin is None and value is None:
            return None
        wrappers = asked.wrappers
        # Where only wrappers answered, the outermost had the last word: pluggy lists last what it calls first.
        step = Step(hook=hook, value=value, plugin=plugin or wrappers[-1], wrapped_by=wrappers)
        if fault := _LOST if value is None else check(value):
            answer = repr(value)
            shown = answer if len(answer) <= _LONGEST_ANSWER else f"{answer[:_LONGEST_ANSWER]}…"
            message = f"{hook} of {describe_authors(step)} answered {shown}: {fault}"
            raise HookError(message, plugin=find_culprit(step))
        return step

    def each(self, hook: str) -> list[_AskAlone]:
        """Return every plugin that implements a hook with many answers, by name, and how to call it alone.

        The call takes all arguments of the specification; the plugin gets those that it names.
        """
        # Not through pluggy, which stops at the first exception: the other plugins' answers would be lost.
        if hook not in self._askable_alone:
            implementations = getattr(self._plugins.hook, hook).get_hookimpls()
            in_order = sorted(implementations, key=lambda implementation: implementation.plugin_name)
            self._askable_alone[hook] = [
                (implementation.plugin_name, functools.partial(_call_alone, implementation))
                for implementation in in_order
            ]
        return self._askable_alone[hook]

    def decide(self, hook: str, check: Check, /, **arguments: Any) -> Step:
        """Ask a decision hook that needs an answer.

        Raises:
            UnansweredError: No plugin answered; the message lists the known strategies.
            HookError: No plugin answered, not even the one that brings the run mode or rank scope.
        """
        if step := self.ask(hook, check, **arguments):
            return step
        settings = getattr(arguments.get("request"), "settings", None)
        self._refuse_silent_owner(hook, settings)
        asked = {kind: getattr(settings, kind) for kind in _KINDS} if settings else {}
        question = ", ".join(f"{kind} {setting!r}" for kind, setting in asked.items()) or repr(arguments)
        close = "".join(self.suggest(kind, setting) for kind, setting in asked.items())
        raise UnansweredError(f"no plugin answered {hook} for {question}; {self.known()}{close}")

    def _refuse_silent_owner(self, hook: str, settings: Any) -> None:
        for kind in (kind for kind, deciding in DECIDING_HOOKS.items() if settings and deciding == hook):
            name = strategy_name(getattr(settings, kind))
            if owned := self._strategies.get((kind, name)):
                raise HookError(
                    f"plugin {owned[0]!r} brings the {kind} {name!r} and answers None for it in {hook}: answer where "
                    f"request.{kind} == {name!r}",
                    plugin=owned[0],
                )

    def strategies(self, kind: str) -> list[Strategy]:
        """Return the declared run modes (``"run_mode"``) or rank scopes (``"rank_scope"``), by name."""
        return [strategy for (of, _), (_, strategy) in sorted(self._strategies.items()) if of == kind]

    def strategies_of(self, name: str) -> list[Strategy]:
        """Return the run modes and rank scopes that the plugin called `name` brings, by kind and name."""
        return [strategy for _, (plugin, strategy) in sorted(self._strategies.items()) if plugin == name]

    def hooks_of(self, name: str) -> list[str]:
        """Return the names of the hooks that the plugin called `name` implements, sorted."""
        callers = self._plugins.get_hookcallers(self._plugins.get_plugin(name)) or ()
        return sorted(caller.name for caller in callers)

    def known(self) -> str:
        """List every run mode and rank scope with the plugin that brings it, for messages."""
        return "; ".join(self._known_of_kind(kind) for kind in _KINDS)

    def _known_of_kind(self, kind: str) -> str:
        names = [f"{name} ({plugin})" for (of, name), (plugin, _) in sorted(self._strategies.items()) if of == kind]
        return f"known {kind}s: {', '.join(names) or 'none'}"

    def knows(self, kind: str, setting: str) -> bool:
        """Whether some plugin declares the run mode or rank scope that `setting` names, whatever its argument."""
        return (kind, strategy_name(setting)) in self._strategies

    def suggest(self, kind: str, setting: str) -> str:
        """Return the question whether another run mode or rank scope is meant; empty where none is like this one."""
        names = [name for of, name in sorted(self._strategies) if of == kind]
        return "" if self.knows(kind, setting) else suggest_name(strategy_name(setting), names)

    def _look_at_hook(self, hook: str) -> _DecisionHook:
        if hook not in self._decision_hooks:
            implementations = getattr(self._plugins.hook, hook).get_hookimpls()
            self._decision_hooks[hook] = _DecisionHook(
                # pluggy lists last what it calls first.
                implementations=tuple((one.function, one.argnames) for one in reversed(implementations)),
                wrappers=tuple(one.plugin_name for one in implementations if _is_wrapper(one)),
            )
        return self._decision_hooks[hook]

    def _refuse_second_name(self, plugin: object) -> None:
        if known := self._plugins.get_name(plugin):
            raise MisfitError(f"it is registered as {known!r} already: let one entry point name it")

    def _credit_hooks(self, plugin: object) -> None:
        for caller in self._plugins.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    self._credit_author(implementation, caller.name)

    def _credit_author(self, implementation: pluggy.HookImpl, hook: str) -> None:
        """Make `implementation` note that it answered, and name itself where it fails."""
        call, author = implementation.function, implementation.plugin_name
        if _is_wrapper(implementation):
            credited = _name_wrapper(call, hook, author)
        else:
            credited = self._name_answer(call, hook, author)
        # pluggy types the attribute as final, but calls whatever it holds (1.6 and 1.7).
        implementation.function = credited  # type: ignore[misc]

    def _name_answer(self, call: Callable[..., Any], hook: str, author: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def answer(*arguments: Any) -> Any:
            started = time.monotonic()
            try:
                value = call(*arguments)
            except (Exception, SystemExit):
                # Entered only on failure: a context manager takes as long as most hooks, which every rank calls.
                with _naming_hook_errors(hook, author):
                    raise
            if (took := time.monotonic() - started) > SLOW_SECONDS:
                log_once(
                    f"plugin {author!r} took {took:.0f} s in {hook}: every task and every rank waits for its hooks"
                )
            if value is not None:
                self._last_answer.plugin = author
            return value

        return answer

    def _claim_strategies(self, strategies: Iterable[Strategy], name: str) -> None:
        for strategy in strategies:
            key = (strategy.kind, strategy.name)
            if key in self._strategies:
                raise PluginError(
                    f"two plugins bring the {strategy.kind} {strategy.name!r}: {self._strategies[key][0]!r} and "
                    f"{name!r}; rename the {strategy.kind} in one of them, or uninstall one"
                )
            self._strategies[key] = (name, strategy)


def _call_alone(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def _is_wrapper(implementation: pluggy.HookImpl) -> bool:
    # `hookwrapper` is pluggy's older form, of which a plugin may still make use.
    return implementation.wrapper or implementation.hookwrapper


def _name_wrapper(call: Callable[..., Any], hook: str, author: str) -> Callable[..., Any]:
    """Name the wrapper's author in the wrapper's errors. Answers and errors of those that it wraps do not change."""

    @functools.wraps(call)
    def wrap(*arguments: Any) -> Generator[None, Any, Any]:
        with _naming_hook_errors(hook, author):
            return (yield from call(*arguments))

    return wrap


@contextmanager
def _naming_hook_errors(hook: str, author: str) -> Iterator[None]:
    try:
        yield
    except FlyteWandbError:  # names its author already: a plugin asked a hook inside a hook, or wraps one that failed
        raise
    except PlanRefusedError as refusal:
        raise RefusedError(f"{refusal} (refused by plugin {author!r} in {hook})", plugin=author) from refusal
    except (Exception, SystemExit) as error:
        message = f"plugin {author!r} failed in {hook}: {type(error).__name__}: {error}"
        raise HookError(message, plugin=author) from error


@contextmanager
def _naming_register_errors(name: str, origin: str) -> Iterator[None]:
    try:
        yield
    except FlyteWandbError:
        raise
    except Exception as error:
        raise PluginError(f"plugin {name!r} ({origin}) does not fit the contract: {error}") from error


def describe_authors(step: Step) -> str:
    """Name the plugin that answered, and those that wrapped its answer."""
    wrapped = f", wrapped by {', '.join(map(repr, step.wrapped_by))}," if step.wrapped_by else ""
    return f"plugin {step.plugin!r}{wrapped}"


def find_culprit(step: Step) -> str:
    """Return the plugin that caused a wrong answer: the one that answered, or that wrapped a built-in's answer."""
    return step.wrapped_by[0] if step.plugin == BUILT_IN and step.wrapped_by else step.plugin
