"""Installing plugins: real distributions in a folder, found through their entry points."""

from __future__ import annotations

from pathlib import Path


def install(
    folder: Path,
    distribution: str,
    source: str,
    *,
    version: str = "1.0",
    plugin: str | None = None,
    attribute: str | None = None,
) -> None:
    """Put a distribution with one plugin into a folder of the import path, as an installer would.

    Args:
        folder: The folder.
        distribution: Name of the distribution; its module has underscores for hyphens.
        source: Text of the module.
        version: Version of the distribution.
        plugin: Name of the entry point, that of the distribution where not given.
        attribute: What the entry point names in the module; the module itself where not given.
    """
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    value = f"{module}:{attribute}" if attribute else module
    (info / "entry_points.txt").write_text(f"[flyte_wandb]\n{plugin or distribution} = {value}\n")
