"""The config of a run: the types that users may pass, and what W&B rejects in it.

Both are checked at the line that passes it, not when the run is opened.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, MappingView
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from .._errors import SettingError
from .._logging import one_line, quoted

_NESTED_KEYS: Final = (str, int, float, bool, bytes, tuple, type(None))
"""Types of the keys that W&B writes as text below the first level (wandb 0.31)."""
_COLLECTIONS: Final = (list, tuple, set, frozenset)
_OTHERS: Final = (str, int, float, complex, slice, type(None))


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration that stands in a YAML or JSON file, which is read when the run is opened.

    Attributes:
        path: Where the file is, as the user wrote it.
    """

    path: str | PathLike[str]

    def read(self) -> Mapping[str, Any]:
        """Return what the file holds.

        Raises:
            SettingError: It cannot be read, or holds nothing that a run can be configured by.
        """
        found = _read_file(self.path)
        if fault := config_fault(found):
            raise SettingError(f"the config file {str(self.path)!r}: {fault}")
        return found


def read_config(value: Any) -> Any:
    """Return the mapping that a configuration stands for, or a `ConfigFile`; of what is neither, the value itself.

    Args:
        value: A mapping, also of OmegaConf's; the path of a YAML or JSON file; an `argparse.Namespace`, a dataclass, a
            pydantic model, the flags of absl; or any other object with attributes, as `wandb.init` takes it.

    >>> import argparse
    >>> read_config(argparse.Namespace(lr=0.1))
    {'lr': 0.1}
    """
    if type(value).__module__.partition(".")[0] == "omegaconf":
        from omegaconf import OmegaConf  # whose value it is, so it is there

        return OmegaConf.to_container(value, resolve=True)
    if isinstance(value, str | PathLike):
        return ConfigFile(value)
    if isinstance(value, Mapping | type | ModuleType) or callable(value) or not hasattr(value, "__dict__"):
        return value
    return _read_object(value)


def _read_object(value: Any) -> Mapping[Any, Any]:
    # By what they can do, because pydantic, absl and wandb need not be loaded here.
    if hasattr(value, "model_dump"):
        return dict(value.model_dump(mode="json"))
    if hasattr(value, "flag_values_dict"):
        return dict(value.flag_values_dict())
    if hasattr(value, "keys"):  # such as `wandb.config`
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return dict(vars(value))


def _read_file(path: str | PathLike[str]) -> Mapping[Any, Any]:
    import yaml

    try:
        text = Path(path).read_text()
        found = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingError(
            f"the config file {str(path)!r} cannot be read in {os.getcwd()}: {one_line(error)}; put the file "
            "beside the code that is sent to the tasks, or pass a dict"
        ) from error
    if not isinstance(found, Mapping):
        return cast("Mapping[Any, Any]", found)
    # W&B's own files have a mapping with a description and the value for each key (`config-defaults.yaml`).
    found = {key: item for key, item in found.items() if key != "wandb_version"}
    wrapped = all(isinstance(item, Mapping) and item.keys() <= {"value", "desc"} for item in found.values())
    return {key: item["value"] for key, item in found.items()} if found and wrapped else found


def config_fault(config: object) -> str | None:
    """Say why W&B would refuse a configuration, with the path to the key, or None where it would not.

    >>> config_fault({"lr": 0.1, "layers": {1: "a"}}) is None
    True
    >>> config_fault({1: "a"})
    'the key 1 of config is of type int, but W&B accepts only strings; use str(key)'
    """
    if isinstance(config, ConfigFile):
        return None
    if not isinstance(config, Mapping):
        return f"expected a mapping, got {type(config).__name__}"
    try:
        return next(_faults(config, "config", (str,)), None)
    except RecursionError:
        return "config contains itself, or is nested too deeply"
    except Exception as error:  # of the user's own mapping, while it is read
        return f"config cannot be read: {type(error).__name__}: {error}"


def _faults(mapping: Mapping[Any, Any], path: str, keys: tuple[type, ...]) -> Iterator[str]:
    for key, value in mapping.items():
        if not isinstance(key, keys):
            kind = type(key).__name__
            yield f"the key {quoted(key)} of {path} is of type {kind}, but W&B accepts only strings; use str(key)"
        elif isinstance(key, str) and not _is_unicode(key):
            yield f"the key {quoted(key)} of {path} contains half a surrogate pair, which W&B cannot write; remove it"
        yield from _value_faults(value, f"{path}[{quoted(key)}]")


def _value_faults(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _faults(value, path, _NESTED_KEYS)
    elif isinstance(value, _COLLECTIONS):
        for index, item in enumerate(value):
            yield from _value_faults(item, f"{path}[{index}]")
    elif isinstance(value, bytes):
        yield from _bytes_faults(value, path)
    elif _is_media(value):
        yield f"{path} is a {type(value).__name__}; a config holds plain values; log it with run.log({{...}})"
    elif not _is_writable(value):
        yield f"{path} is of type {type(value).__name__}, which W&B cannot write as JSON; use text, numbers or lists"


def _bytes_faults(value: bytes, path: str) -> Iterator[str]:
    try:
        value.decode()
    except UnicodeDecodeError:
        yield f"{path} contains bytes that are not UTF-8; use value.hex()"


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8. A value that cannot is marked by W&B, a key fails the run."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_media(value: object) -> bool:
    """Whether this is one of W&B's images, tables and the like; whoever has made one has imported wandb."""
    wandb = sys.modules.get("wandb")
    return wandb is not None and isinstance(value, wandb.data_types.WBValue)


def _is_writable(value: object) -> bool:
    """Whether W&B can write a value that is not a collection. Of an instance of a user's class, it writes the text."""
    if type(value).__module__ != "builtins" or isinstance(value, _OTHERS) or callable(value):
        return True
    return isinstance(value, Iterable) and not isinstance(value, MappingView)
