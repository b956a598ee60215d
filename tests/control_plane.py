"""A control plane of Flyte on loopback: enough of one to store a secret and to take a run, which it never starts.

The services are those of Flyte's own interface, over the protocol that Flyte's client speaks. So a command does all
that it does on the user's machine, and what it sends can be looked at.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.cluster.payload_pb2 import SelectClusterResponse
from flyteidl2.cluster.service_connect import ClusterServiceWSGIApplication
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceWSGIApplication
from flyteidl2.imagebuilder import definition_pb2, payload_pb2
from flyteidl2.imagebuilder.service_connect import ImageServiceWSGIApplication
from flyteidl2.secret import payload_pb2 as secret
from flyteidl2.secret.secret_connect import SecretServiceWSGIApplication
from flyteidl2.workflow import run_service_pb2 as runs
from flyteidl2.workflow.run_service_connect import RunServiceWSGIApplication

RUN_NAME: Final = "rx7k2"
REGISTRY: Final = "registry.example.com"


@dataclass(kw_only=True)
class ControlPlane:
    """What a control plane has been sent.

    Attributes:
        has_images: Whether every image that is asked for is built already.
        address: Where it listens.
        secrets: Value of each secret.
        images: Images that were asked for, with their tags.
        uploads: Contents of the files that were uploaded, by their names.
        runs: The runs that were to be started.
    """

    has_images: bool = True
    address: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    runs: list[runs.CreateRunRequest] = field(default_factory=list)


@contextmanager
def control_plane(*, has_images: bool = True) -> Iterator[ControlPlane]:
    """Serve a control plane for the length of the block."""
    plane = ControlPlane(has_images=has_images)
    with make_server("127.0.0.1", 0, _Application(plane), server_class=WSGIServer, handler_class=_Quiet) as server:
        plane.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield plane
        finally:
            server.shutdown()
            thread.join()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@dataclass
class _Services:
    """What the services answer."""

    plane: ControlPlane

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        return _refuse

    def select_cluster(self, request: Any, ctx: Any) -> SelectClusterResponse:
        return SelectClusterResponse()  # this one

    def create_secret(self, request: secret.CreateSecretRequest, ctx: Any) -> secret.CreateSecretResponse:
        spec = request.secret_spec
        self.plane.secrets[request.id.name] = spec.string_value or spec.binary_value.decode()
        return secret.CreateSecretResponse()

    def get_image(self, request: payload_pb2.GetImageRequest, ctx: Any) -> payload_pb2.GetImageResponse:
        self.plane.images.append(request.id.name)
        if not self.plane.has_images:
            raise ConnectError(Code.NOT_FOUND, "no such image")
        return payload_pb2.GetImageResponse(image=definition_pb2.Image(fqin=f"{REGISTRY}/{request.id.name}"))

    def create_upload_location(
        self, request: dataproxy.CreateUploadLocationRequest, ctx: Any
    ) -> dataproxy.CreateUploadLocationResponse:
        return dataproxy.CreateUploadLocationResponse(
            signed_url=f"{self.plane.address}/uploads/{request.filename}", native_url=f"s3://bucket/{request.filename}"
        )

    def upload_inputs(self, request: dataproxy.UploadInputsRequest, ctx: Any) -> dataproxy.UploadInputsResponse:
        return dataproxy.UploadInputsResponse()

    def create_run(self, request: runs.CreateRunRequest, ctx: Any) -> runs.CreateRunResponse:
        self.plane.runs.append(request)
        response = runs.CreateRunResponse()
        project = request.project_id
        response.run.action.id.name = "a0"
        response.run.action.id.run.name = RUN_NAME
        response.run.action.id.run.project, response.run.action.id.run.domain = project.name, project.domain
        return response


def _refuse(request: object, ctx: object) -> NoReturn:
    raise ConnectError(Code.UNIMPLEMENTED, "this control plane has no such call")


class _Application:
    """The services, and a store that takes what is uploaded."""

    def __init__(self, plane: ControlPlane) -> None:
        services = _Services(plane)
        self._plane = plane
        self._applications = [
            ClusterServiceWSGIApplication(services),
            SecretServiceWSGIApplication(services),
            ImageServiceWSGIApplication(services),
            DataProxyServiceWSGIApplication(services),
            RunServiceWSGIApplication(services),
        ]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)  # one that ends: a service that refuses a request reads the rest of it
        if path.startswith("/uploads/"):
            self._plane.uploads[path.removeprefix("/uploads/")] = body
            start_response("200 OK", [("Content-Length", "0")])
            return []
        for application in self._applications:
            if path.startswith(application.path + "/"):
                answer: Iterable[bytes] = application(environ, start_response)
                return answer
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
