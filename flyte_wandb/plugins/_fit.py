"""What a plugin is checked for when it is registered. Each fault says what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flyte_wandb_hookspecs import PROJECT_NAME, HookSpecs, Strategy

from .._logging import suggest_name

DECIDING_HOOKS: Final = {"run_mode": "choose_initializer", "rank_scope": "locate_rank"}
"""The hook that has to know a strategy, by the strategy's kind."""


class MisfitError(TypeError):
    """A plugin does not fit the contract. The manager adds the plugin's name and origin."""


class _Hook(NamedTuple):
    """A hook of the contract."""

    arguments: tuple[str, ...]
    first_answer_counts: bool


class _Implementation(NamedTuple):
    """A function that a plugin has marked, or the object that it has marked by mistake.

    Attributes:
        hook: The hook that it answers; its own name unless the marker says ``specname``.
        function: What is marked.
        options: The marker's options, such as ``wrapper``.
    """

    hook: str
    function: Any
    options: Mapping[str, Any]

    @property
    def wraps(self) -> bool:
        """Whether it is called around the answers of others; `hookwrapper` is pluggy's older form."""
        return bool(self.options.get("wrapper") or self.options.get("hookwrapper"))


_HOOKS: Final = {
    name: _Hook(
        arguments=function.__code__.co_varnames[1 : function.__code__.co_argcount],
        first_answer_counts=getattr(function, f"{PROJECT_NAME}_spec")["firstresult"],
    )
    for name, function in vars(HookSpecs).items()
    if hasattr(function, f"{PROJECT_NAME}_spec")
}


def check_plugin(plugin: object) -> tuple[Strategy, ...]:
    """Check a plugin before it is registered, and return the run modes and rank scopes that it declares.

    Raises:
        MisfitError: It would never be asked, would fail when it is, or would answer by pluggy's version.
    """
    _refuse_non_instance(plugin)
    implementations = list(_find_implementations(plugin))
    if not implementations:
        raise MisfitError(f"it has no hook: mark each of its functions with @hookimpl{_find_marked_class(plugin)}")
    for implementation in implementations:
        _refuse_unknown_hook(implementation)
        _refuse_wrong_kind(implementation)
        _refuse_wrong_arguments(implementation)
    return _read_strategies(implementations)


def _refuse_non_instance(plugin: object) -> None:
    if inspect.isclass(plugin):
        raise MisfitError(
            f"{plugin.__qualname__} is a class, and hooks need an instance: register {plugin.__qualname__}(), or a "
            "module of functions"
        )
    if inspect.isroutine(plugin):
        name = getattr(plugin, "__name__", "it")
        raise MisfitError(f"{name} is a function: register the module that holds it")


def _find_implementations(plugin: object) -> Iterator[_Implementation]:
    for name in dir(plugin):
        value = getattr(plugin, name)
        options = None if name.startswith("__") else getattr(value, f"{PROJECT_NAME}_impl", None)
        if isinstance(options, Mapping):
            yield _Implementation(hook=options.get("specname") or name, function=value, options=options)
        elif name in _HOOKS and callable(value) and getattr(value, "__func__", value) is not vars(HookSpecs)[name]:
            raise MisfitError(f"{name} has the name of a hook and no marker: write @hookimpl above `def {name}`")


def _find_marked_class(plugin: object) -> str:
    """Return what to do if a class in a module has the hooks, else an empty text."""
    classes = [value for value in vars(plugin).values() if inspect.isclass(value)] if inspect.ismodule(plugin) else []
    marked = f"{PROJECT_NAME}_impl"
    for one in classes:
        if any(hasattr(function, marked) for function in vars(one).values()):
            return f"; its class {one.__name__} has some: let the entry point name an instance, {one.__name__}()"
    return ""


def _refuse_unknown_hook(implementation: _Implementation) -> None:
    hook = implementation.hook
    if not inspect.isroutine(implementation.function):
        raise MisfitError(f"@hookimpl marks {hook}, which is not a function: mark the functions in it")
    # An optional hook is one of a later version of the contract.
    if hook not in _HOOKS and not implementation.options.get("optionalhook"):
        raise MisfitError(f"there is no hook {hook!r}; {_suggest_name(hook, _HOOKS)}")


def _refuse_wrong_kind(implementation: _Implementation) -> None:
    """Refuse a function that cannot give an answer, and a wrapper of a hook that cannot be wrapped."""
    name, function = implementation.hook, implementation.function
    hook = _HOOKS.get(name)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise MisfitError(f"{name} is a coroutine function, and hooks are not awaited: write `def`, not `async def`")
    # Plugins that all answer are called one by one, so a wrapper of theirs would never run.
    if hook and implementation.wraps and not hook.first_answer_counts:
        raise MisfitError(f"{name} cannot be wrapped, because all plugins answer it: write @hookimpl without wrapper")
    yields = inspect.isgeneratorfunction(function)
    if implementation.wraps and not yields:
        raise MisfitError(
            f"{name} is marked as a wrapper and has no `yield`: get the answer of the others with `answer = yield`, or "
            "write @hookimpl without wrapper"
        )
    if hook and yields and not implementation.wraps:
        mark = "write @hookimpl(wrapper=True), or " if hook.first_answer_counts else ""
        raise MisfitError(f"{name} has a `yield` and is not marked as a wrapper: {mark}return the answer")


def _refuse_wrong_arguments(implementation: _Implementation) -> None:
    hook = _HOOKS.get(implementation.hook)
    if hook is None:
        return
    known = f"{implementation.hook} gets {', '.join(hook.arguments) or 'no argument'}"
    for parameter in _read_parameters(implementation, hook):
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise MisfitError(f"{parameter} of {implementation.hook} stays empty: name the arguments; {known}")
        # pluggy 1.6 never passes an argument that has a default, and 1.7 does: a plugin would behave by its version.
        if parameter.default is not parameter.empty or parameter.kind is parameter.KEYWORD_ONLY:
            raise MisfitError(
                f"the argument {name!r} of {implementation.hook} has a default or is keyword-only, so it is not "
                f"passed: write `{name}` alone; {known}"
            )
        if name not in hook.arguments:
            raise MisfitError(
                f"{implementation.hook} has no argument {name!r}; {_suggest_name(name, hook.arguments, known)}"
            )


def _read_parameters(implementation: _Implementation, hook: _Hook) -> Sequence[inspect.Parameter]:
    """Return the parameters of a marked function, of a method without its own object."""
    function = implementation.function
    bound = inspect.ismethod(function)
    parameters = list(inspect.signature(function.__func__ if bound else function).parameters.values())
    if bound and (not parameters or parameters[0].name in hook.arguments):
        raise MisfitError(f"the method {implementation.hook} has no `self`: write it as its first argument")
    return parameters[1:] if bound else parameters


def _suggest_name(name: str, known: Collection[str], otherwise: str | None = None) -> str:
    return suggest_name(name, known).removeprefix("; ") or otherwise or f"there are {', '.join(known)}"


def _read_strategies(implementations: Sequence[_Implementation]) -> tuple[Strategy, ...]:
    declaring = [one.function for one in implementations if one.hook == "list_strategies"]
    strategies = tuple(strategy for function in declaring for strategy in _call_declaring(function))
    hooks = {one.hook for one in implementations}
    for position, strategy in enumerate(strategies):
        about = f"list_strategies declares the {strategy.kind} {strategy.name!r}"
        if any((one.kind, one.name) == (strategy.kind, strategy.name) for one in strategies[:position]):
            raise MisfitError(f"{about} twice: declare it once")
        if (deciding := DECIDING_HOOKS[strategy.kind]) not in hooks:
            raise MisfitError(f"{about}, and the plugin has no {deciding}, which has to know it: add that hook")
    return strategies


def _call_declaring(function: Any) -> Sequence[Strategy]:
    try:
        answer = function()
    except (Exception, SystemExit) as error:
        raise MisfitError(f"list_strategies failed: {type(error).__name__}: {error}") from error
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        raise MisfitError(f"list_strategies answered {answer!r}: return a list, [Strategy(...)]")
    for strategy in answer:
        if not isinstance(strategy, Strategy):
            raise MisfitError(f"list_strategies answered a list with {strategy!r} in it: return [Strategy(...)]")
    return answer
