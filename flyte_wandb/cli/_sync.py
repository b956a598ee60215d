"""`flyte-wandb sync`: offline runs to their server."""

from __future__ import annotations

from typing import Any, Final

from flyte_wandb._logging import count_noun, listed
from flyte_wandb._outcomes import SyncOutcome
from flyte_wandb.cli._screen import cell_text, get_console
from flyte_wandb.results.offline._sync import sync_wandb_runs

_TORN: Final = "; its log is torn: its process was killed, and W&B shows it as failed"
"""Said beside the rows, so that nobody takes a run that was killed for a whole one."""


def show_sync(places: tuple[str, ...], **options: Any) -> bool:
    """Upload offline runs, and print what became of each.

    Args:
        places: Paths and addresses.
        options: Those of `sync_wandb_runs`.

    Returns:
        Whether none has failed.
    """
    outcomes = sync_wandb_runs(*places, **options)
    console = get_console()
    for outcome in outcomes:
        console.print(cell_text(f"{outcome.run_id or outcome.place}: {_outcome_text(outcome)}"), soft_wrap=True)
    console.print(_count_outcomes(outcomes), soft_wrap=True)
    return all(outcome.status != "failed" for outcome in outcomes)


def _outcome_text(outcome: SyncOutcome) -> str:
    if outcome.status == "synced":
        rows = count_noun(outcome.rows or 0, "row")
        artifacts = f", {count_noun(outcome.artifacts, 'artifact')}" if outcome.artifacts else ""
        left_out = f"; left out: {listed(outcome.left_out)}" if outcome.left_out else ""
        return f"{rows}{artifacts} -> {outcome.url}{_TORN if outcome.torn else ''}{_damage_text(outcome)}{left_out}"
    if outcome.status == "skipped":
        return "there already"
    return (
        f"would be uploaded to {outcome.target} from {outcome.place}"
        if outcome.status == "found"
        else f"{outcome.reason}"
    )


def _damage_text(outcome: SyncOutcome) -> str:
    if not outcome.damaged_at:
        return ""
    places = listed([f"byte {offset:,}" for offset in outcome.damaged_at])
    rows = "row is" if outcome.missing_rows == 1 else "rows are"
    return f"; its log is damaged at {places}, where up to {outcome.missing_rows:,} {rows} missing"


def _count_outcomes(outcomes: tuple[SyncOutcome, ...]) -> str:
    words = {"synced": "uploaded", "skipped": "there already", "found": "to upload", "failed": "failed"}
    counts = {words[status]: sum(outcome.status == status for outcome in outcomes) for status in words}
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return summary or "there is no offline run here"
