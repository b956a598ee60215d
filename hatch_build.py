"""The links of the package: `project.urls` and those of the README, all from the one address in pyproject.toml."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?![a-z]+:|#)(?P<target>[^)\s]+)\)")


class LinksHook(MetadataHookInterface):
    """Fills in what pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the README and the links of the package."""
        address = str(self.config["address"]).rstrip("/")
        page = Path(self.root, "README.md").read_text().replace("clone REPOSITORY", f"clone {address or 'REPOSITORY'}")
        text = absolute_links(page, address, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = project_urls(address) if address else {}


def project_urls(address: str) -> dict[str, str]:
    """Return the links of a project on GitHub.

    Args:
        address: Of the repository, such as ``https://github.com/team/flyte-wandb``.
    """
    owner, name = address.split("/")[-2:]
    return {
        "Documentation": f"https://{owner}.github.io/{name}/",
        "Source": address,
        "Issues": f"{address}/issues",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
    }


def absolute_links(markdown: str, address: str, tag: str) -> str:
    """Return a page whose relative links lead to a tag of the repository.

    Args:
        markdown: The page.
        address: Of the repository. Where it is empty, a link becomes its text and a picture is left out.
        tag: The tag of the release.
    """
    return _LINK.sub(partial(_absolute, address=address, tag=tag), markdown)


def _absolute(found: re.Match[str], *, address: str, tag: str) -> str:
    if not address:
        return "" if found["image"] else found["text"]
    is_file = "." in found["target"].rpartition("/")[2]
    kind = "raw" if found["image"] else "blob" if is_file else "tree"
    return f"{found['image']}[{found['text']}]({address}/{kind}/{tag}/{found['target']})"
