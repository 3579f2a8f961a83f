"""Runs in KServe's environment: its model server over a joblib file.

Arguments: NAME FILE, then KServe's own options.

KServe's scikit-learn server is not published as a package. This repeats its `predict` with
PREDICT_PROBA=true.
"""

import sys

import joblib
import kserve
from kserve.utils.utils import get_predict_input, get_predict_response


class Classifier(kserve.Model):
    """Gives probabilities for a matrix."""

    def __init__(self, name, file):
        super().__init__(name)
        self.model = joblib.load(file)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        return get_predict_response(
            payload, self.model.predict_proba(get_predict_input(payload)), self.name
        )


if __name__ == "__main__":
    name, file = sys.argv[1:3]
    arguments, _ = kserve.model_server.parser.parse_known_args(sys.argv[3:])
    server = kserve.ModelServer(
        http_port=arguments.http_port, grpc_port=arguments.grpc_port, workers=1
    )
    server.start([Classifier(name, file)])
