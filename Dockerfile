# The container image: the service's program and the Python runtime, and nothing else. `make image` builds it with docker,
# podman or buildah, `cloudbuild.yaml` on Google Cloud.

FROM docker.io/library/rust:1.95.0-slim-trixie AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc gpgv libc6-dev make util-linux \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The runtime comes first: it changes seldom, and takes long to fetch.
COPY Makefile ./
COPY layer layer
RUN make layer

# Only what is fetched is kept between builds. What was compiled is not: cargo compares times of files, which a build in
# another checkout may have older.
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --bin py-executor-server
COPY deploy/image-root deploy/image-root
RUN deploy/image-root target/release/py-executor-server target/layer/runtime /image

# The test of the image (tests/support/image.rs) reads from here on.
FROM scratch
COPY --from=build /image/ /
LABEL org.opencontainers.image.title="py-executor" \
      org.opencontainers.image.description="Runs untrusted Python scripts: always isolated, and faster than Python starts." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
ENV PORT=8080
EXPOSE 8080
# A number, because there are no names in the image, and so that platforms see that it is not root.
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["/py-executor-server", "health"]
ENTRYPOINT ["/py-executor-server"]
