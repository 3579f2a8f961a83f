"""Field numbers on the wire, compared with the protocol's own table and not with our file.

Source: kserve/open-inference-protocol, specification/protocol/open_inference_grpc.proto.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protos.open_inference_pb2 import DESCRIPTOR

ROOT = Path(__file__).parents[2]
PARAMETERS = "map parameters"
MESSAGES = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {1: "bool live"},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {1: "bool ready"},
    "ModelReadyRequest": {1: "string name", 2: "string version"},
    "ModelReadyResponse": {1: "bool ready"},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {
        1: "string name",
        2: "string version",
        3: "repeated string extensions",
    },
    "ModelMetadataRequest": {1: "string name", 2: "string version"},
    "ModelMetadataResponse": {
        1: "string name",
        2: "repeated string versions",
        3: "string platform",
        4: "repeated TensorMetadata inputs",
        5: "repeated TensorMetadata outputs",
    },
    "ModelMetadataResponse.TensorMetadata": {
        1: "string name",
        2: "string datatype",
        3: "repeated int64 shape",
    },
    "ModelInferRequest": {
        1: "string model_name",
        2: "string model_version",
        3: "string id",
        4: PARAMETERS,
        5: "repeated InferInputTensor inputs",
        6: "repeated InferRequestedOutputTensor outputs",
        7: "repeated bytes raw_input_contents",
    },
    "ModelInferRequest.InferInputTensor": {
        1: "string name",
        2: "string datatype",
        3: "repeated int64 shape",
        4: PARAMETERS,
        5: "InferTensorContents contents",
    },
    "ModelInferRequest.InferRequestedOutputTensor": {1: "string name", 2: PARAMETERS},
    "ModelInferResponse": {
        1: "string model_name",
        2: "string model_version",
        3: "string id",
        4: PARAMETERS,
        5: "repeated InferOutputTensor outputs",
        6: "repeated bytes raw_output_contents",
    },
    "ModelInferResponse.InferOutputTensor": {
        1: "string name",
        2: "string datatype",
        3: "repeated int64 shape",
        4: PARAMETERS,
        5: "InferTensorContents contents",
    },
    "InferParameter": {
        1: "bool bool_param",
        2: "int64 int64_param",
        3: "string string_param",
        4: "double double_param",
        5: "uint64 uint64_param",
    },
    "InferTensorContents": {
        1: "repeated bool bool_contents",
        2: "repeated int32 int_contents",
        3: "repeated int64 int64_contents",
        4: "repeated uint32 uint_contents",
        5: "repeated uint64 uint64_contents",
        6: "repeated float fp32_contents",
        7: "repeated double fp64_contents",
        8: "repeated bytes bytes_contents",
    },
}
CALLS = ["ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"]
TYPES = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}


def describe(field: FieldDescriptor) -> str:
    if field.message_type and field.message_type.GetOptions().map_entry:
        return f"map {field.name}"
    kind = field.message_type.name if field.message_type else TYPES[field.type]
    return f"{'repeated ' if field.is_repeated else ''}{kind} {field.name}"


def find(name: str) -> Descriptor:
    outer, _, inner = name.partition(".")
    message = DESCRIPTOR.message_types_by_name[outer]
    return message.nested_types_by_name[inner] if inner else message


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_the_protocols_names_numbers_and_types(name: str) -> None:
    assert {field.number: describe(field) for field in find(name).fields} == MESSAGES[name]


def test_there_are_no_other_messages() -> None:
    nested = [
        f"{name}.{inner.name}"
        for name, message in DESCRIPTOR.message_types_by_name.items()
        for inner in message.nested_types
        if not inner.GetOptions().map_entry
    ]
    assert {*DESCRIPTOR.message_types_by_name, *nested} == set(MESSAGES)


def test_the_service_has_the_protocols_six_calls() -> None:
    service = DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert service.full_name == "inference.GRPCInferenceService"
    assert [(m.name, m.input_type.name, m.output_type.name) for m in service.methods] == [
        (c, f"{c}Request", f"{c}Response") for c in CALLS
    ]


def test_the_committed_stubs_are_what_the_definition_makes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.stubs", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
