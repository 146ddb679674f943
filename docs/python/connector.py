"""A connector in Python: two users, one group, served over gRPC.

    pip install grpcio grpcio-tools
    python docs/python/connector.py 127.0.0.1:9000
    baton-drive --connector-addr 127.0.0.1:9000 -f sync.c1z
    baton-drive selftest --connector-addr 127.0.0.1:9000

It needs the `.proto` files of the repository, in crates/baton-proto/proto.
"""

import importlib
import pathlib
import sys
import tempfile
from concurrent import futures

import grpc
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "crates" / "baton-proto" / "proto"


def generate():
    """Makes Python modules of the .proto files, and lets Python find them."""
    out = tempfile.mkdtemp()
    files = [str(path) for path in sorted(PROTO.rglob("*.proto")) if "google" not in path.parts]
    include = importlib.resources.files("grpc_tools") / "_proto"
    arguments = [f"-I{PROTO}", f"-I{include}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(["protoc", *arguments, *files]) != 0:
        raise SystemExit("cannot compile the .proto files")
    sys.path.insert(0, out)


generate()
resource_pb = importlib.import_module("c1.connector.v2.resource_pb2")
resource_grpc = importlib.import_module("c1.connector.v2.resource_pb2_grpc")
entitlement_pb = importlib.import_module("c1.connector.v2.entitlement_pb2")
entitlement_grpc = importlib.import_module("c1.connector.v2.entitlement_pb2_grpc")
grant_pb = importlib.import_module("c1.connector.v2.grant_pb2")
grant_grpc = importlib.import_module("c1.connector.v2.grant_pb2_grpc")
connector_pb = importlib.import_module("c1.connector.v2.connector_pb2")
connector_grpc = importlib.import_module("c1.connector.v2.connector_pb2_grpc")
trait_pb = importlib.import_module("c1.connector.v2.annotation_trait_pb2")

USERS = {"ada": "Ada Lovelace", "alan": "Alan Turing"}
GROUPS = {"staff": ("Staff", ["ada", "alan"])}


def packed(message):
    annotation = resource_pb.Resource().annotations.add()
    annotation.Pack(message)
    return annotation


def user(name):
    status = trait_pb.UserTrait.Status(status=trait_pb.UserTrait.Status.STATUS_ENABLED)
    return resource_pb.Resource(
        id=resource_pb.ResourceId(resource_type="user", resource=name),
        display_name=USERS[name],
        annotations=[packed(trait_pb.UserTrait(status=status))],
    )


def group(name):
    return resource_pb.Resource(
        id=resource_pb.ResourceId(resource_type="group", resource=name),
        display_name=GROUPS[name][0],
        annotations=[packed(trait_pb.GroupTrait())],
    )


def member(resource):
    return entitlement_pb.Entitlement(
        id=f"group:{resource.id.resource}:member",
        slug="member",
        display_name="member",
        purpose=entitlement_pb.Entitlement.PURPOSE_VALUE_ASSIGNMENT,
        resource=resource,
    )


def no_such_type(context, what, type_id):
    context.abort(grpc.StatusCode.NOT_FOUND, f"error: {what} with unknown resource type {type_id}")


def refuse_token(context, request):
    """Every list here has one page, so no token of ours exists."""
    if request.page_token:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "page token corrupt")


class Connector(connector_grpc.ConnectorServiceServicer):
    def GetMetadata(self, request, context):
        types = [
            connector_pb.ResourceTypeCapability(
                resource_type=kind, capabilities=[connector_pb.CAPABILITY_SYNC]
            )
            for kind in TYPES
        ]
        capabilities = connector_pb.ConnectorCapabilities(
            resource_type_capabilities=types,
            connector_capabilities=[connector_pb.CAPABILITY_SYNC],
        )
        metadata = connector_pb.ConnectorMetadata(display_name="Python", capabilities=capabilities)
        return connector_pb.ConnectorServiceGetMetadataResponse(metadata=metadata)

    def Validate(self, request, context):
        return connector_pb.ConnectorServiceValidateResponse()

    def Cleanup(self, request, context):
        return connector_pb.ConnectorServiceCleanupResponse()


TYPES = [
    resource_pb.ResourceType(
        id="user", display_name="User", traits=[resource_pb.ResourceType.TRAIT_USER]
    ),
    resource_pb.ResourceType(
        id="group", display_name="Group", traits=[resource_pb.ResourceType.TRAIT_GROUP]
    ),
]


class Types(resource_grpc.ResourceTypesServiceServicer):
    def ListResourceTypes(self, request, context):
        return resource_pb.ResourceTypesServiceListResourceTypesResponse(list=TYPES)


class Resources(resource_grpc.ResourcesServiceServicer):
    def ListResources(self, request, context):
        refuse_token(context, request)
        if request.resource_type_id == "user":
            rows = [user(name) for name in USERS]
        elif request.resource_type_id == "group":
            rows = [group(name) for name in GROUPS]
        else:
            no_such_type(context, "list resources", request.resource_type_id)
        return resource_pb.ResourcesServiceListResourcesResponse(list=rows)


class Entitlements(entitlement_grpc.EntitlementsServiceServicer):
    def ListEntitlements(self, request, context):
        refuse_token(context, request)
        kind = request.resource.id.resource_type
        if kind not in ("user", "group"):
            no_such_type(context, "list entitlements", kind)
        rows = [member(request.resource)] if kind == "group" else []
        return entitlement_pb.EntitlementsServiceListEntitlementsResponse(list=rows)

    def ListStaticEntitlements(self, request, context):
        refuse_token(context, request)
        if request.resource_type_id not in ("user", "group"):
            no_such_type(context, "list static entitlements", request.resource_type_id)
        return entitlement_pb.EntitlementsServiceListStaticEntitlementsResponse()


class Grants(grant_grpc.GrantsServiceServicer):
    def ListGrants(self, request, context):
        refuse_token(context, request)
        resource = request.resource
        rows = []
        if resource.id.resource_type == "group":
            members = GROUPS.get(resource.id.resource, ("", []))[1]
            entitlement = member(resource)
            rows = [
                grant_pb.Grant(
                    id=f"{entitlement.id}:user:{name}",
                    entitlement=entitlement,
                    principal=user(name),
                )
                for name in members
            ]
        elif resource.id.resource_type != "user":
            no_such_type(context, "list grants", resource.id.resource_type)
        return grant_pb.GrantsServiceListGrantsResponse(list=rows)


def main(address):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    connector_grpc.add_ConnectorServiceServicer_to_server(Connector(), server)
    resource_grpc.add_ResourceTypesServiceServicer_to_server(Types(), server)
    resource_grpc.add_ResourcesServiceServicer_to_server(Resources(), server)
    entitlement_grpc.add_EntitlementsServiceServicer_to_server(Entitlements(), server)
    grant_grpc.add_GrantsServiceServicer_to_server(Grants(), server)
    server.add_insecure_port(address)
    server.start()
    print(f"serving at {address}", flush=True)
    server.wait_for_termination()


main(sys.argv[1])
