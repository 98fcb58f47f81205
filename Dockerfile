# One image for all of Google Cloud: workers of Dataflow, the launcher of its Flex Template, and
# training on Vertex AI. They cannot differ in version, for they are the same files.
#
#   docker build -t beampose:cpu .
#   docker build -t beampose:gpu --build-arg VARIANT=gpu .     (adds NVIDIA's libraries)
#
# Dataflow takes the entry point; a Vertex job names its command, `python -m
# beampose.trainer.task …`; the Flex Template's service calls the launcher by its path. On your own machine:
#   docker run --rm --user beampose -v "$PWD:/work" --entrypoint beampose beampose:cpu check my.yaml

# The harness must be of the lock's apache-beam: tests/test_image.py holds the two together.
FROM apache/beam_python3.11_sdk:2.77.0 AS harness

FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:flex_templates_base_image_release_20240628_RC00 AS launcher

FROM python:3.11.14-slim-bookworm AS build
ARG VARIANT=cpu
WORKDIR /source
COPY requirements/build.lock requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/build.lock
# Before our own code, so that an edit of ours downloads nothing again. A few packages come as
# source alone; they are built by the locked setuptools.
COPY requirements/${VARIANT}.lock requirements/
RUN pip install --no-cache-dir --no-build-isolation --no-deps --require-hashes \
        -r requirements/${VARIANT}.lock
COPY setup.py pyproject.toml README.md LICENSE ./
COPY beampose beampose
COPY preprocess preprocess
COPY trainer trainer
COPY pipelines pipelines
RUN pip install --no-cache-dir --no-build-isolation --no-deps . && pip check

FROM python:3.11.14-slim-bookworm
ARG VARIANT=cpu
ARG REVISION=unknown
LABEL org.opencontainers.image.title="beampose" \
      org.opencontainers.image.description="Animal pose estimation on stored features" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.beampose.variant="${VARIANT}"

COPY --from=build /usr/local /usr/local
COPY --from=harness /opt/apache/beam /opt/apache/beam
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher

# RUN_PYTHON_…: the harness uses this Python as it is, and makes no environment of its own.
# PYTHONSAFEPATH: the launcher runs a file inside a package, whose folder must not hide others.
# LD_LIBRARY_PATH, NVIDIA_…: where Dataflow and Vertex AI put the driver; nothing is there without
# a GPU. TF_FORCE_…: the processes of a worker share its GPU.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    FLEX_TEMPLATE_PYTHON_PY_FILE=/usr/local/lib/python3.11/site-packages/beampose/pipelines/cloud/flex_template.py \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TF_FORCE_GPU_ALLOW_GROWTH=true

# For whoever runs the image by hand. The services run it as root: Dataflow's harness writes below
# /opt/apache and /var/opt/google, which it mounts as root, and Vertex AI mounts buckets as root.
RUN useradd --uid 10001 --create-home beampose
WORKDIR /work

ENTRYPOINT ["/opt/apache/beam/boot"]
