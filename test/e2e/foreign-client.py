"""A client that shares no code with xmcast: gRPC of another language, the schema by reflection. Prints what it got as JSON.

usage: foreign-client.py SOCKET             changes the configuration
       foreign-client.py SOCKET watch       watches memberships, a line for each message, until the server ends the stream
"""
import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

POOL = descriptor_pool.DescriptorPool()
LABEL = descriptor_pb2.FieldDescriptorProto


def declare(package, messages):
    """Messages as {name: [(field, number, type, repeated)]}; a type with a dot in front is a message."""
    file = descriptor_pb2.FileDescriptorProto(name=package + ".declared", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            added = message.field.add(name=field, number=number, label=LABEL.LABEL_REPEATED if repeated else LABEL.LABEL_OPTIONAL)
            if kind.startswith("."):
                added.type, added.type_name = LABEL.TYPE_MESSAGE, kind
            else:
                added.type = getattr(LABEL, "TYPE_" + kind.upper())
    POOL.Add(file)


def message(name):
    return message_factory.MessageFactory(POOL).GetPrototype(POOL.FindMessageTypeByName(name))


# As far as they are needed: grpc/reflection/v1/reflection.proto, google/rpc/status.proto and error_details.proto.
declare("grpc.reflection.v1", {
    "ServerReflectionRequest": [("file_containing_symbol", 4, "string", False)],
    "FileDescriptorResponse": [("file_descriptor_proto", 1, "bytes", True)],
    "ServerReflectionResponse": [("file_descriptor_response", 4, ".grpc.reflection.v1.FileDescriptorResponse", False)],
})
declare("google.rpc", {
    "Detail": [("type_url", 1, "string", False), ("value", 2, "bytes", False)],
    "Status": [("code", 1, "int32", False), ("message", 2, "string", False), ("details", 3, ".google.rpc.Detail", True)],
    "ErrorInfo": [("reason", 1, "string", False), ("domain", 2, "string", False)],
    "FieldViolation": [("field", 1, "string", False), ("description", 2, "string", False)],
    "BadRequest": [("field_violations", 1, ".google.rpc.FieldViolation", True)],
})


def learn_schema(channel, symbol):
    request, response = (message("grpc.reflection.v1.ServerReflection" + end) for end in ("Request", "Response"))
    ask = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                request_serializer=request.SerializeToString, response_deserializer=response.FromString)
    waiting = {}
    for answer in ask(iter([request(file_containing_symbol=symbol)])):
        for blob in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(blob)
            waiting[file.name] = file
    while waiting:
        ready = [file for file in waiting.values() if not any(name in waiting for name in file.dependency)]
        for file in ready:
            POOL.Add(file)
            del waiting[file.name]


def call(channel, method, **fields):
    request, response = message("xmcast.v1.%sRequest" % method), message("xmcast.v1.%sResponse" % method)
    stub = channel.unary_unary("/xmcast.v1.ConfigService/" + method,
                               request_serializer=request.SerializeToString, response_deserializer=response.FromString)
    try:
        return json_format.MessageToDict(stub(json_format.ParseDict(fields, request()), timeout=10), preserving_proto_field_name=True)
    except grpc.RpcError as error:
        return refusal(error)


def refusal(error):
    told = {"status": error.code().name, "reason": "", "domain": "", "fields": []}
    for key, value in error.trailing_metadata():
        if key != "grpc-status-details-bin":
            continue
        for detail in message("google.rpc.Status").FromString(value).details:
            if detail.type_url == "type.googleapis.com/google.rpc.ErrorInfo":
                info = message("google.rpc.ErrorInfo").FromString(detail.value)
                told.update(reason=info.reason, domain=info.domain)
            if detail.type_url == "type.googleapis.com/google.rpc.BadRequest":
                told["fields"] = [v.field for v in message("google.rpc.BadRequest").FromString(detail.value).field_violations]
    return told


def main(socket):
    with grpc.insecure_channel("unix://" + socket) as channel:
        learn_schema(channel, "xmcast.v1.ConfigService")
        got = call(channel, "GetConfig")
        config = got["config"]
        config["interfaces"][-1]["ttl_threshold"] = 9
        wanted = dict(config=config, etag=got["etag"], takeover=True, comment="from Python")
        trial = lambda: call(channel, "ApplyConfig", config=dict(config, log_level="warn"), comment="on trial", confirm_timeout="60s")
        print(json.dumps({
            "file": got["file"],
            "refused": call(channel, "ApplyConfig", config=config),
            "invalid": call(channel, "ApplyConfig", config={"interfaces": [{"name": ""}], "log_level": "loud"}, takeover=True),
            "dry": call(channel, "ApplyConfig", validate_only=True, **wanted),
            "applied": call(channel, "ApplyConfig", **wanted),
            "stale": call(channel, "ApplyConfig", **dict(wanted, config=dict(config, log_level="warn"))),
            "trial": trial(),
            "rolled_back": call(channel, "RollbackConfig"),
            "after": call(channel, "GetConfig"),
            "revisions": call(channel, "ListRevisions"),
        }))


def watch(socket):
    with grpc.insecure_channel("unix://" + socket) as channel:
        learn_schema(channel, "xmcast.v1.StateService")
        request, response = (message("xmcast.v1.WatchMemberships" + end) for end in ("Request", "Response"))
        stub = channel.unary_stream("/xmcast.v1.StateService/WatchMemberships",
                                    request_serializer=request.SerializeToString, response_deserializer=response.FromString)
        try:
            for answer in stub(request()):
                print(json.dumps(json_format.MessageToDict(answer, preserving_proto_field_name=True)), flush=True)
        except grpc.RpcError as error:
            print(json.dumps({"status": error.code().name}), flush=True)


if sys.argv[2:] == ["watch"]:
    watch(sys.argv[1])
else:
    main(sys.argv[1])
