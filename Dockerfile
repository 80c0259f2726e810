# The image of the worker, the GraphQL server and the command `checkout`. Needs BuildKit (Docker 23).
FROM python:3.11.16-slim-trixie

# PYTHONDONTWRITEBYTECODE stays unset, and the standard library, which comes without bytecode, gets
# it here: no user but root can write it later. The Temporal sandbox imports the workflow's module
# again for every run, and without bytecode each run compiles it again (measured: 7 ms).
RUN --mount=type=bind,target=/src,rw \
    --mount=type=cache,target=/root/.cache/pip \
    cd /src \
    && pip install --root-user-action=ignore -c requirements.lock ".[server]" \
    && python -m compileall -q /usr/local/lib/python3.11

RUN useradd --uid 10001 --create-home checkout
USER 10001:10001
WORKDIR /home/checkout

# Every interface of the container, for whoever probes it from outside; nothing secret is told.
ENV CHECKOUT_HEALTH_HOST=0.0.0.0 \
    CHECKOUT_HEALTH_PORT=8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; \
    port = os.environ['CHECKOUT_HEALTH_PORT']; \
    urllib.request.urlopen(f'http://127.0.0.1:{port}/health/live', timeout=4)"]

CMD ["python", "-m", "worker"]
