"""The one exception that a hook raises on purpose."""


class PlanRefused(ValueError):
    """A hook understood the question and refuses it: the request cannot lead to a right run.

    Raise it with a message for the person who wrote the task: what does not fit, its value, and what to do. The host
    adds which hook and plugin refused and stops the task before its body.

    >>> raise PlanRefused("rank scope 'island:0': an island has at least one rank; write island:4")
    Traceback (most recent call last):
        ...
    flyte_wandb_hookspecs._errors.PlanRefused: rank scope 'island:0': an island has at least one rank; write island:4
    """
