# ctckit on a CPU, with training and reading of text lines:
#
#   docker build --build-arg TORCH_INDEX=URL -t ctckit .
#   docker run --rm -v "$PWD:/data" ctckit read line.png --model model/
#
# TORCH_INDEX is the index of PyTorch's builds for CPUs, as PyTorch's installation page names it. Without it, pip
# installs the build for CUDA, which is several times as large.
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
ARG TORCH_INDEX
COPY --from=build /wheels /wheels
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir torch --index-url "$TORCH_INDEX"; fi \
    && pip install --no-cache-dir "$(echo /wheels/*.whl)[ocr,onnx]" \
    && rm -rf /wheels
WORKDIR /data
ENTRYPOINT ["ctckit"]
