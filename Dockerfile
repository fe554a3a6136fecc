# Switchboard's worker and command line, for servers: Kafka and ClickHouse are elsewhere, so the
# embedded ones are not inside. Requirements and the tools that build them are locked with hashes.

# The Python that the tests run.
FROM python:3.11.14-slim-bookworm AS base

FROM base AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# First what changes seldom: a change of code does not fetch the requirements again.
COPY requirements/build.txt requirements/server.txt requirements/
RUN pip install --require-hashes --only-binary :all: -r requirements/build.txt \
    && pip wheel --require-hashes --no-deps --no-build-isolation --wheel-dir /wheels \
        -r requirements/server.txt
# The fold is compiled, which needs a compiler and the types of what the project imports.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-index --no-deps /wheels/*.whl
COPY pyproject.toml README.md ./
COPY deploy/compile_fold.py deploy/
COPY schemas schemas
COPY streams streams
COPY sinks sinks
COPY gateway gateway
COPY dashboards dashboards
COPY simulator simulator
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM=true \
        pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv /opt/switchboard \
    && /opt/switchboard/bin/pip install --no-index --no-deps /wheels/*.whl

FROM base
LABEL org.opencontainers.image.title="switchboard" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/switchboard /opt/switchboard
COPY deploy/healthcheck.py /usr/local/bin/healthcheck.py
ENV PATH=/opt/switchboard/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SWITCHBOARD_DATA_DIR=/var/lib/switchboard
# A number, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin switchboard \
    && install --directory --owner=switchboard /var/lib/switchboard
USER 10001:10001
WORKDIR /var/lib/switchboard
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "/usr/local/bin/healthcheck.py"]
ENTRYPOINT ["switchboard"]
CMD ["run"]
