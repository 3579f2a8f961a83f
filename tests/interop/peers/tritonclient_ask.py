"""Runs in tritonclient's environment: asks a server for its metadata and for scores.

Arguments: ADDRESS MODEL MATRIX.npy. Prints one JSON object.
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton

address, name, file = sys.argv[1:4]
matrix = np.load(file)
client = triton.InferenceServerClient(address)
metadata = client.get_model_metadata(name)
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": client.is_model_ready(name),
    "server": client.get_server_metadata().name,
    "inputs": [[tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.inputs],
    "outputs": [[tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.outputs],
    "scores": {},
    "refused": {},
}
for datatype, kind in (("FP32", np.float32), ("FP64", np.float64)):
    tensor = triton.InferInput("input", list(matrix.shape), datatype)
    tensor.set_data_from_numpy(matrix.astype(kind))
    answer = client.infer(
        name, [tensor], outputs=[triton.InferRequestedOutput("probabilities")], request_id="17"
    )
    found["scores"][datatype] = answer.as_numpy("probabilities")[:, 1].tolist()
    every = client.infer(name, [tensor])
    found["scores"][f"{datatype}, every output"] = every.as_numpy("probabilities")[:, 1].tolist()
for case, (model, output) in {
    "model": ("other", "probabilities"),
    "output": (name, "other"),
}.items():
    try:
        client.infer(model, [tensor], outputs=[triton.InferRequestedOutput(output)])
    except triton.InferenceServerException as error:
        found["refused"][case] = error.status()
print(json.dumps(found))
