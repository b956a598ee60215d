"""How a function ends, as an exit code."""

from __future__ import annotations


def exit_code(error: BaseException | None) -> int:
    """Return what W&B is told of an outcome: 0 for a result, the code of a SystemExit, 1 for any other exception.

    >>> exit_code(None), exit_code(ValueError()), exit_code(SystemExit(3)), exit_code(SystemExit("bad"))
    (0, 1, 3, 1)
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 1
