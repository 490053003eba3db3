# ctckit on a CPU: training and reading of text lines, and the service.
#
#   docker build --build-arg TORCH_INDEX=URL -t ctckit .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" ctckit read line.png --model model/
#   docker compose up
#
# TORCH_INDEX is the index of PyTorch's builds for CPUs, as PyTorch's installation page names it. Without it, pip
# installs the build for CUDA, which is several times as large. With --build-arg EXTRAS=onnx,serve the image has no
# PyTorch, and reads with ONNX files.
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
ARG EXTRAS=ocr,onnx,serve
ARG TORCH_INDEX
COPY --from=build /wheels /wheels
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir torch --index-url "$TORCH_INDEX"; fi \
    && pip install --no-cache-dir "$(echo /wheels/*.whl)[$EXTRAS]" \
    && rm -rf /wheels
# Any user can run it, on a file system that is read-only except for /tmp.
ENV HOME=/tmp
USER 1000:1000
WORKDIR /data
# Process 1 ignores SIGTERM where a command does not handle it; Ctrl-C's signal stops each command.
STOPSIGNAL SIGINT
ENTRYPOINT ["ctckit"]
