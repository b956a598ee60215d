"""The one exception that a hook raises on purpose."""


class PlanRefusedError(ValueError):
    """A hook understood the question and refuses it: the request cannot lead to a right run.

    Raise it with a message for the person who wrote the task: what does not fit, its value, and what to do. The host
    adds which hook and plugin refused and stops the task before its body.

    >>> raise PlanRefusedError("rank scope 'island:0': an island has at least one rank")
    Traceback (most recent call last):
        ...
    flyte_wandb_hookspecs._errors.PlanRefusedError: rank scope 'island:0': an island has at least one rank
    """
