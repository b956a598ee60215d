"""The operations about people and projects: who is logged in, teams, organizations, the server, creating projects."""

from __future__ import annotations

from typing import Any, Final

from ._calls import EPOCH, Call, answers, connection


@answers("GetDefaultEntity", "GetViewer", "Viewer")
def _viewer(call: Call) -> dict[str, Any]:
    """Tell who is logged in: nobody without a key."""
    return {"viewer": _user(call) if call.sender.logged_in else None, **_server(call)}


def _user(call: Call) -> dict[str, Any]:
    user = call.store.about.entity
    teams = connection([user, *sorted(call.store.teams - {user})], lambda team: {"id": team, "name": team})
    names = dict.fromkeys(("id", "name", "username", "entity"), user)
    rest = {
        "email": f"{user}@example.org",
        "admin": False,
        "flags": "{}",
        "deletedAt": None,
        "apiKeys": connection([], dict),
    }
    return {**names, **rest, "teams": teams}


@answers("ServerFeaturesQuery", "ServerInfo")
def _server(call: Call) -> dict[str, Any]:
    version = call.store.about.version
    local = {"outOfDate": False, "latestVersionString": version, "versionOnThisInstanceString": version}
    return {"serverInfo": {"features": [], "latestLocalVersionInfo": local if version else None}}


@answers("EntityIsTeam", "FetchOrgEntityFromEntity", "FetchOrgInfoFromEntity", "GetTeamEntity")
@answers("OrganizationCoreWeaveOrganizationID", "XXHashDigestsEnabled")
def _entity(call: Call) -> dict[str, Any]:
    """Tell of a user or team, and that it belongs to no organization."""
    told = call.variables
    name = told.get("name") or told.get("entityName") or told.get("entity")
    team = name in call.store.teams
    if not team and name != call.store.about.entity:
        return {"entity": None}
    unset = dict.fromkeys(("photoUrl", "isPaid", "organization"))
    no = dict.fromkeys(("readOnly", "readOnlyAdmin", "privateOnly", "codeSavingEnabled", "xxhashDigestsEnabled"), False)
    member = {**_user(call), "pending": False, "photoUrl": None, "accountType": "MEMBER", "apiKey": None}
    about = {"available": False, "isTeam": team, "entityType": "TEAM" if team else "USER", "storageBytes": 0}
    people = {"defaultAccess": "PRIVATE", "members": [member], "user": {"organizations": []}}
    return {"entity": {"id": name, "name": name, **unset, **no, **about, **people}}


@answers("GetProject", "IsProjectReadOnly")
def _project(call: Call) -> dict[str, Any]:
    told = call.variables
    place = call.store.place(told.get("entity"), told.get("project") or told.get("name"))
    known = place in call.store.projects
    return {
        "project": {"readOnly": place[0] in call.store.about.others, **_project_node(call, place)} if known else None
    }


@answers("GetProjects")
def _projects(call: Call) -> dict[str, Any]:
    own = [place for place in sorted(call.store.projects) if place[0] == call.place()[0]]
    return {"models": call.page(own, lambda place: _project_node(call, place))}


@answers("CreateProject")
def _create_project(call: Call) -> dict[str, Any]:
    place = call.store.place(call.input.get("entityName"), call.input["name"])
    call.store.projects.add(place)
    return {"result": {"project": _project_node(call, place), "model": None, "inserted": True}}


@answers("FetchOrganization")
def _organization(call: Call) -> dict[str, Any]:
    return {"organization": None}


@answers("SearchUsers")
def _users(call: Call) -> dict[str, Any]:
    known = [_user(call)] if call.variables.get("query") == call.store.about.entity else []
    return {"users": connection(known, dict)}


def _project_node(call: Call, place: tuple[str, str]) -> dict[str, Any]:
    unset = dict.fromkeys(("description", "access", "views"))
    names = {"id": "/".join(place), "name": place[1], "entityName": place[0]}
    return {"__typename": "Project", **names, **unset, "createdAt": EPOCH, "isBenchmark": False, "user": _user(call)}


ANONYMOUS: Final = frozenset({"ServerFeaturesQuery", "ServerInfo", "Viewer", "GetViewer", "GetDefaultEntity"})
"""The operations that W&B also answers to those who are not logged in."""
