# Two stages: wheels are installed by hash in the first, only the result is in the second.
# Pin both by digest when you mirror the base image: FROM python:3.13.9-slim-bookworm@sha256:...
FROM python:3.13.9-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/tfe-scim-relay
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/tfe-scim-relay/bin/pip install --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY relay relay
RUN /opt/tfe-scim-relay/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13.9-slim-bookworm
LABEL org.opencontainers.image.title="tfe-scim-relay" org.opencontainers.image.licenses="MIT"
# A fixed number, so that a volume can be given to it. The root filesystem may be read-only.
RUN useradd --system --uid 10001 --home-dir /var/lib/scim-relay --create-home scim-relay \
 && chmod 0750 /var/lib/scim-relay
COPY --from=build /opt/tfe-scim-relay /opt/tfe-scim-relay
ENV PATH=/opt/tfe-scim-relay/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SCIM_RELAY_CONFIG=/etc/scim-relay/relay.toml
USER 10001:10001
VOLUME /var/lib/scim-relay
EXPOSE 8080 9464
# Ready means that changes can be accepted, whatever state TFE is in.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["scim-relay", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["scim-relay"]
CMD ["serve"]
