# The image: a base with Python, a virtual environment from the lock, our code, and the bytecode of all three.
#
#   builder                the base, uv, and the standard library's bytecode
#   function-dependencies  the virtual environment                           (changes with requirements/)
#   code                   what we wrote, compiled                           (changes with each commit)
#   service-dependencies, service-code  the same for the scoring service
#   service                the scoring service by itself: a gRPC server, as a user of its own
#   function-sidecar       what Lambda runs, with the scoring service beside it as an external extension
#   function               what Lambda runs: the base and copies of the two  (the default target: it stays last)
#
# Nothing runs in the three stages that become images and the others run on the machine that builds, so an image for the other
# architecture needs no emulation. docs/image.md says how it is built, what is in it and what was measured.

# The official slim image by its full tag. Also works: the same by digest (`make pin-base` writes it here) and AWS's own base,
# public.ecr.aws/lambda/python:3.13.
ARG BASE_IMAGE=docker.io/library/python:3.13.14-slim-trixie

# hadolint ignore=DL3006,DL3029  # the tag is in the argument; the platform is the builder's on purpose
FROM --platform=${BUILDPLATFORM} ${BASE_IMAGE} AS builder
# The Python the lock was tested with in the image. Not PYTHON_VERSION: the official image sets that one itself.
ARG BASE_PYTHON=3.13
RUN found="$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" && \
    if [ "$found" != "$BASE_PYTHON" ]; then \
      echo "Dockerfile: expected BASE_IMAGE to have Python $BASE_PYTHON, it has $found; set BASE_IMAGE to another, or BASE_PYTHON to $found" >&2; \
      exit 1; \
    fi
# uv itself, pinned by hash like everything else. The optional secret is a company's CA bundle, for builds behind its proxy.
COPY requirements/uv.txt /build/
RUN --mount=type=secret,id=ca-bundle,target=/run/secrets/ca-bundle,required=false \
    if [ -s /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle; fi && \
    python -m venv /build/uv && \
    /build/uv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r /build/uv.txt
# All bytecode lies in one tree beside the sources, the standard library's too: the official image ships none of it, and Lambda's
# read-only disk would have every cold start compile it again.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode
COPY tools/image/steps/compile.sh tools/image/steps/install.sh tools/image/steps/prune.py /build/
RUN /build/compile.sh "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" site-packages

FROM builder AS function-dependencies
# The architecture of the image, not of the builder: the engine sets it.
ARG TARGETARCH
# `function`, or `function-dynamodb`: the same with boto3, for an external store in DynamoDB (docs/external.md).
ARG FUNCTION_SET=function
COPY requirements/${FUNCTION_SET}.txt /build/function.txt
RUN --mount=type=secret,id=ca-bundle,target=/run/secrets/ca-bundle,required=false \
    /build/install.sh /build/function.txt "$TARGETARCH" && /build/compile.sh /opt/venv/lib

FROM builder AS code
WORKDIR /var/task
COPY tools/image/steps/entrypoint.sh /opt/
COPY model/ model/
COPY protos/ protos/
COPY function/ function/
RUN chmod -R a=rX,u+w . && chmod 755 /opt/entrypoint.sh && /build/compile.sh .

FROM builder AS service-dependencies
ARG TARGETARCH
COPY requirements/service.txt /build/
RUN --mount=type=secret,id=ca-bundle,target=/run/secrets/ca-bundle,required=false \
    /build/install.sh /build/service.txt "$TARGETARCH" && /build/compile.sh /opt/venv/lib

FROM builder AS service-code
WORKDIR /var/task
COPY model/ model/
COPY protos/ protos/
COPY segment_scorer/ segment_scorer/
RUN chmod -R a=rX,u+w . && chmod 755 segment_scorer/service/extensions/segment-scorer && /build/compile.sh .

# hadolint ignore=DL3006,DL3029,DL3065  # the default anyway, but podman before version 5 would take the builder's
FROM --platform=${TARGETPLATFORM} ${BASE_IMAGE} AS service
# Where it listens unless --listen says otherwise, and the socket of its health check, which holds whatever --listen and --tls-cert say.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    ORT_DISABLE_TELEMETRY=1 \
    SERVE_LISTEN=0.0.0.0:8081 \
    SERVE_PROBE=unix:/tmp/segment-scorer-probe.sock
WORKDIR /var/task
COPY --from=service-dependencies /opt/venv/ /opt/venv/
COPY --from=service-dependencies /opt/bytecode/ /opt/bytecode/
COPY --from=service-code /opt/bytecode/var/ /opt/bytecode/var/
COPY --from=service-code /var/task/ /var/task/
# Nobody's number; whoever runs the container may choose another. Every file is readable by all, and nothing is written but the socket.
USER 65532:65532
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["python", "-m", "segment_scorer.service.probe"]
ENTRYPOINT ["python", "-m", "segment_scorer.service"]
CMD []
ARG VERSION=unknown
ARG REVISION=unknown
# What ServerMetadata tells: the project is copied here, not installed.
ENV SERVE_VERSION=$VERSION
LABEL org.opencontainers.image.title="segment-scorer-service" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0"

# hadolint ignore=DL3006,DL3029,DL3065  # the default anyway, but podman before version 5 would take the builder's
FROM --platform=${TARGETPLATFORM} ${BASE_IMAGE} AS function-sidecar
# Function and sidecar meet at the socket that SCORER_TARGET names.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    ORT_DISABLE_TELEMETRY=1 \
    SCORER_TARGET=unix:/tmp/segment-scorer.sock
WORKDIR /var/task
COPY --from=service-dependencies /opt/venv/ /opt/venv/
COPY --from=service-dependencies /opt/bytecode/ /opt/bytecode/
COPY --from=code /opt/entrypoint.sh /opt/
COPY --from=code /opt/bytecode/var/ /opt/bytecode/var/
COPY --from=code /var/task/ /var/task/
COPY --from=service-code /opt/bytecode/var/task/segment_scorer/ /opt/bytecode/var/task/segment_scorer/
COPY --from=service-code /var/task/segment_scorer/ /var/task/segment_scorer/
COPY --from=service-code /var/task/segment_scorer/service/extensions/ /opt/extensions/
ENTRYPOINT ["/opt/entrypoint.sh"]
CMD ["function.handler.handle"]
ARG VERSION=unknown
ARG REVISION=unknown
ENV SERVE_VERSION=$VERSION
LABEL org.opencontainers.image.title="segment-scorer-sidecar" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      com.amazonaws.lambda.feature.snapstart="Allow"

# hadolint ignore=DL3006,DL3029,DL3065  # the default anyway, but podman before version 5 would take the builder's
FROM --platform=${TARGETPLATFORM} ${BASE_IMAGE} AS function
# ONNX Runtime reports usage to its maker unless told not to.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /var/task
COPY --from=function-dependencies /opt/venv/ /opt/venv/
COPY --from=function-dependencies /opt/bytecode/ /opt/bytecode/
COPY --from=code /opt/entrypoint.sh /opt/
COPY --from=code /opt/bytecode/var/ /opt/bytecode/var/
COPY --from=code /var/task/ /var/task/
ENTRYPOINT ["/opt/entrypoint.sh"]
CMD ["function.handler.handle"]
ARG VERSION=unknown
ARG REVISION=unknown
# The last label is the consent that SnapStart asks of an image that is not built on AWS's base.
LABEL org.opencontainers.image.title="segment-scorer" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      com.amazonaws.lambda.feature.snapstart="Allow"
