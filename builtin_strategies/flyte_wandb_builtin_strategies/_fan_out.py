"""Whether the built-in answers give one part several runs."""

from flyte_wandb_hookspecs import Request


def one_run_per_rank(request: Request) -> bool:
    """Whether every rank has a run of its own."""
    return request.run_mode == "new" and request.topology.distributed


def fans_out(request: Request) -> bool:
    """Whether one part has several runs, of its ranks or of the attempts of its action, which then have a group."""
    return request.settings.on_retry == "new" or one_run_per_rank(request)
