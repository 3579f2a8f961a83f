# The image: a base with Python, a virtual environment from the lock, our code, and the bytecode of all three.
#
#   builder                the base, uv, and the standard library's bytecode
#   function-dependencies  the virtual environment                           (changes with requirements/)
#   code                   the function's code, compiled                     (changes with each commit)
#   service-dependencies, service-code  the same for the scoring service
#   service                the scoring service: a gRPC server, as a user of its own
#   function-sidecar       the function, with the scoring service beside it as a Lambda extension
#   function               the function: the base and copies of the two      (the default target, so it stays last)
#
# No command runs in the three stages that become images, and the others run on the building machine. So an image for the other
# architecture needs no emulation. docs/image.md describes the build, the contents and the measurements.

# The official slim image by its full tag. Alternatives: the same by digest (`make pin-base` writes it here), and AWS's own
# base, public.ecr.aws/lambda/python:3.13.
ARG BASE_IMAGE=docker.io/library/python:3.13.14-slim-trixie

# hadolint ignore=DL3006,DL3029  # the tag is in the argument; the platform is the builder's on purpose
FROM --platform=${BUILDPLATFORM} ${BASE_IMAGE} AS builder
# The Python that the lock was tested with. Not PYTHON_VERSION, which the official image sets.
ARG BASE_PYTHON=3.13
RUN found="$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" && \
    if [ "$found" != "$BASE_PYTHON" ]; then \
      echo "Dockerfile: expected BASE_IMAGE to have Python $BASE_PYTHON, it has $found; set BASE_IMAGE to another, or BASE_PYTHON to $found" >&2; \
      exit 1; \
    fi
# uv is pinned by hash, too. The optional secret is a company's CA bundle, for builds behind its proxy.
COPY requirements/uv.txt /build/
RUN --mount=type=secret,id=ca-bundle,target=/run/secrets/ca-bundle,required=false \
    if [ -s /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle; fi && \
    python -m venv /build/uv && \
    /build/uv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r /build/uv.txt
# One tree for all bytecode, the standard library's too. The official image has none for it, and Lambda's disk is read-only:
# every cold start would compile it again.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode PYTHONHASHSEED=0
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

# hadolint ignore=DL3006,DL3029,DL3065  # this is the default, but podman before version 5 takes the builder's
FROM --platform=${TARGETPLATFORM} ${BASE_IMAGE} AS service
# SERVE_LISTEN: the default of --listen. SERVE_PROBE: the socket of the health check, whatever --listen and --tls-cert are.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode \
    PATH=/opt/venv/bin:$PATH \
    ORT_DISABLE_TELEMETRY=1 \
    SERVE_LISTEN=0.0.0.0:8081 \
    SERVE_PROBE=unix:/tmp/segment-scorer-probe.sock
WORKDIR /var/task
COPY --from=service-dependencies /opt/venv/ /opt/venv/
COPY --from=service-dependencies /opt/bytecode/ /opt/bytecode/
COPY --from=service-code /opt/bytecode/var/ /opt/bytecode/var/
COPY --from=service-code /var/task/ /var/task/
# An unused number; another one works, too. Every file is world-readable, and only the socket is written.
USER 65532:65532
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["python", "-m", "segment_scorer.service.probe"]
ENTRYPOINT ["python", "-m", "segment_scorer.service"]
CMD []
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
# ServerMetadata reports it: the project is copied here, not installed.
ENV SERVE_VERSION=$VERSION
LABEL org.opencontainers.image.title="segment-scorer-service" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="Apache-2.0"

# hadolint ignore=DL3006,DL3029,DL3065  # this is the default, but podman before version 5 takes the builder's
FROM --platform=${TARGETPLATFORM} ${BASE_IMAGE} AS function-sidecar
# Function and sidecar connect at the socket in SCORER_TARGET.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode \
    PATH=/opt/venv/bin:$PATH \
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
ARG CREATED=unknown
ARG SOURCE=unknown
ENV SERVE_VERSION=$VERSION
LABEL org.opencontainers.image.title="segment-scorer-sidecar" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="Apache-2.0" \
      com.amazonaws.lambda.feature.snapstart="Allow"

# hadolint ignore=DL3006,DL3029,DL3065  # this is the default, but podman before version 5 takes the builder's
FROM --platform=${TARGETPLATFORM} ${BASE_IMAGE} AS function
# By default, ONNX Runtime reports its usage to its maker.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode \
    PATH=/opt/venv/bin:$PATH \
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
ARG CREATED=unknown
ARG SOURCE=unknown
# The last label is the consent that SnapStart requires of an image that is not built on AWS's base.
LABEL org.opencontainers.image.title="segment-scorer" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="Apache-2.0" \
      com.amazonaws.lambda.feature.snapstart="Allow"
