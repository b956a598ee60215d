"""The slips of plugin authors: a plugin for each, and the words that the author reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IMPORTS: Final = "from flyte_wandb import Group, Part, PlanRefusedError, Role, Strategy, hookimpl, strategy_argument"
_GIVEN: Final = "compute_run_id gets request, part, role"
_HOOKS: Final = (
    "detect_topology, declare_topology, locate_rank, choose_initializer, compute_run_id, compute_group, build_link, "
    "build_sweep_link, list_strategies, contribute_run_settings, run_started, run_finished"
)
_METHOD: Final = "class Names:\n    @hookimpl\n    def compute_run_id({}): ...\n\n\nplugin = Names()"


@dataclass(frozen=True, kw_only=True)
class Slip:
    """A plugin that cannot be registered.

    Attributes:
        source: The text of its module, behind `IMPORTS`.
        fault: What is wrong, and what to write instead.
        attribute: What the entry point names in the module, or None for the module itself.
    """

    source: str
    fault: str
    attribute: str | None = None

    @property
    def module(self) -> str:
        """The whole text of the module."""
        return f"{IMPORTS}\n\n\n{self.source}\n"


def hook(head: str, body: str = "...", *, marker: str = "@hookimpl") -> str:
    """A plugin with one function."""
    return f"{marker}\n{head}\n    {body}"


def declares(strategies: str, hook_name: str = "choose_initializer", *, body: str = "...") -> str:
    """A plugin that declares strategies and has the hook that is to know them."""
    return f"{hook('def list_strategies():', f'return {strategies}')}\n\n\n{hook(f'def {hook_name}(request):', body)}"


SLIPS: Final = {
    "no hook": Slip(
        source="def name_runs(request): ...",
        fault="it has no hook: mark each of its functions with @hookimpl",
    ),
    "a hook without its marker": Slip(
        source="def compute_run_id(request): ...",
        fault="compute_run_id has the name of a hook and no marker: write @hookimpl above `def compute_run_id`",
    ),
    "one of two hooks without its marker": Slip(
        source=f"{hook('def compute_group(request):')}\n\n\ndef compute_run_id(request): ...",
        fault="compute_run_id has the name of a hook and no marker: write @hookimpl above `def compute_run_id`",
    ),
    "a marker below another decorator": Slip(
        source=_METHOD.format("request").replace("    @hookimpl", "    @hookimpl\n    @staticmethod"),
        fault="compute_run_id has the name of a hook and no marker: write @hookimpl above `def compute_run_id`",
        attribute="plugin",
    ),
    "a hook that does not exist": Slip(
        source=hook("def compute_runid(request):"),
        fault="there is no hook 'compute_runid'; did you mean compute_run_id?",
    ),
    "a hook that is like no other": Slip(
        source=hook("def galaxy(request):"),
        fault=f"there is no hook 'galaxy'; there are {_HOOKS}",
    ),
    "a misspelt specname": Slip(
        source=hook("def prefix(request):", marker="@hookimpl(specname='compute_run_ids')"),
        fault="there is no hook 'compute_run_ids'; did you mean compute_run_id?",
    ),
    "a misspelt argument": Slip(
        source=hook("def compute_run_id(reqest):"),
        fault="compute_run_id has no argument 'reqest'; did you mean request?",
    ),
    "an argument of another hook": Slip(
        source=hook("def compute_run_id(environ):"),
        fault=f"compute_run_id has no argument 'environ'; {_GIVEN}",
    ),
    "an argument of a hook without any": Slip(
        source=hook("def list_strategies(request):"),
        fault="list_strategies has no argument 'request'; list_strategies gets no argument",
    ),
    "an argument with a default": Slip(
        source=hook("def compute_run_id(request, part=None):"),
        fault="the argument 'part' of compute_run_id has a default or is keyword-only, so it is not passed: write "
        f"`part` alone; {_GIVEN}",
    ),
    "a keyword-only argument": Slip(
        source=hook("def compute_run_id(*, request):"),
        fault="the argument 'request' of compute_run_id has a default or is keyword-only, so it is not passed: "
        f"write `request` alone; {_GIVEN}",
    ),
    "any arguments": Slip(
        source=hook("def compute_run_id(*arguments):"),
        fault=f"*arguments of compute_run_id stays empty: name the arguments; {_GIVEN}",
    ),
    "any keyword arguments": Slip(
        source=hook("def compute_run_id(**arguments):"),
        fault=f"**arguments of compute_run_id stays empty: name the arguments; {_GIVEN}",
    ),
    "a method without self": Slip(
        source=_METHOD.format("request"),
        fault="the method compute_run_id has no `self`: write it as its first argument",
        attribute="plugin",
    ),
    "a method without any argument": Slip(
        source=_METHOD.format(""),
        fault="the method compute_run_id has no `self`: write it as its first argument",
        attribute="plugin",
    ),
    "a class for an instance": Slip(
        source=_METHOD.format("self"),
        fault="Names is a class, and hooks need an instance: register Names(), or a module of functions",
        attribute="Names",
    ),
    "a module for an instance": Slip(
        source=_METHOD.format("self"),
        fault="it has no hook: mark each of its functions with @hookimpl; its class Names has some: let the entry "
        "point name an instance, Names()",
    ),
    "a function for its module": Slip(
        source=hook("def compute_run_id(request):"),
        fault="compute_run_id is a function: register the module that holds it",
        attribute="compute_run_id",
    ),
    "nothing": Slip(
        source="plugin = None",
        fault="it has no hook: mark each of its functions with @hookimpl",
        attribute="plugin",
    ),
    "a marked class": Slip(
        source=hook("class Names:"),
        fault="@hookimpl marks Names, which is not a function: mark the functions in it",
    ),
    "a coroutine function": Slip(
        source=hook("async def compute_run_id(request):"),
        fault="compute_run_id is a coroutine function, and hooks are not awaited: write `def`, not `async def`",
    ),
    "a forgotten wrapper=True": Slip(
        source=hook("def compute_run_id(request):", "run_id = yield\n    return f'acme-{run_id}'"),
        fault="compute_run_id has a `yield` and is not marked as a wrapper: write @hookimpl(wrapper=True), or return "
        "the answer",
    ),
    "a wrapper without a yield": Slip(
        source=hook("def compute_run_id(request):", "return 'r1'", marker="@hookimpl(wrapper=True)"),
        fault="compute_run_id is marked as a wrapper and has no `yield`: get the answer of the others with `answer = "
        "yield`, or write @hookimpl without wrapper",
    ),
    "a wrapper of a hook that all answer": Slip(
        source=hook("def run_started(run):", "yield", marker="@hookimpl(wrapper=True)"),
        fault="run_started cannot be wrapped, because all plugins answer it: write @hookimpl without wrapper",
    ),
    "strategies that are yielded": Slip(
        source=hook("def list_strategies():", "yield Strategy(kind='run_mode', name='every', summary='')"),
        fault="list_strategies has a `yield` and is not marked as a wrapper: return the answer",
    ),
    "one strategy for a list": Slip(
        source=declares("Strategy(kind='run_mode', name='every', summary='')"),
        fault="list_strategies answered Strategy(kind='run_mode', name='every', summary='', example=None): return a "
        "list, [Strategy(...)]",
    ),
    "no answer": Slip(
        source=declares("None"),
        fault="list_strategies answered None: return a list, [Strategy(...)]",
    ),
    "names for strategies": Slip(
        source=declares("['every']"),
        fault="list_strategies answered a list with 'every' in it: return [Strategy(...)]",
    ),
    "an unknown kind": Slip(
        source=declares("[Strategy(kind='runmode', name='every', summary='')]"),
        fault="list_strategies failed: ValueError: the kind 'runmode' of 'every' is unknown: write run_mode or "
        "rank_scope",
    ),
    "a name with a colon": Slip(
        source=declares("[Strategy(kind='run_mode', name='every:4', summary='')]"),
        fault="list_strategies failed: ValueError: the name 'every:4' has a colon, and what follows it is an argument: "
        "write name='every'",
    ),
    "a name of two words": Slip(
        source=declares("[Strategy(kind='run_mode', name='every rank', summary='')]"),
        fault="list_strategies failed: ValueError: the name 'every rank' is not one word: write what users type, such "
        "as 'island'",
    ),
    "no name": Slip(
        source=declares("[Strategy(kind='run_mode', name=None, summary='')]"),
        fault="list_strategies failed: ValueError: the name None is not one word: write what users type, such as "
        "'island'",
    ),
    "an example of another strategy": Slip(
        source=declares("[Strategy(kind='run_mode', name='every', summary='', example='evry:2')]"),
        fault="list_strategies failed: ValueError: the example 'evry:2' is another strategy's: write 'every:...'",
    ),
    "a strategy that is declared twice": Slip(
        source=declares("[Strategy(kind='run_mode', name='every', summary=text) for text in 'ab']"),
        fault="list_strategies declares the run_mode 'every' twice: declare it once",
    ),
    "a run mode that no hook knows": Slip(
        source=declares("[Strategy(kind='run_mode', name='every', summary='')]", "locate_rank"),
        fault="list_strategies declares the run_mode 'every', and the plugin has no choose_initializer, which has to "
        "know it: add that hook",
    ),
    "a rank scope that no hook knows": Slip(
        source=declares("[Strategy(kind='rank_scope', name='half', summary='')]"),
        fault="list_strategies declares the rank_scope 'half', and the plugin has no locate_rank, which has to know "
        "it: add that hook",
    ),
    "a list that cannot be made": Slip(
        source=declares("[1 / 0]"),
        fault="list_strategies failed: ZeroDivisionError: division by zero",
    ),
}
"""What is refused when a plugin is registered."""
