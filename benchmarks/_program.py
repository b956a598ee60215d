"""One program in a process of its own: ``python -m benchmarks._program NAME.FUNCTION ARGUMENT...``.

Calls a function of `benchmarks.programs` with the arguments, as text, and prints what it returns as JSON in the last
line; or the error in one last line, for Flyte's tracebacks put it first.
"""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    module, _, function = sys.argv[1].rpartition(".")
    try:
        result = getattr(import_module(f"benchmarks.programs.{module}"), function)(*sys.argv[2:])
    except Exception as error:
        import traceback

        traceback.print_exc()
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")

    import json  # afterwards: an import may be what is measured

    print(f"\n{json.dumps(result)}")
