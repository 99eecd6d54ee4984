# hooktape as one static program: no shell, no packages, no root.
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t hooktape .

FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
# The flags of `make build`.
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /image/usr/local/bin/ ./cmd/hooktape
# Go's time zone database, and the folder whose owner a new volume gets.
RUN mkdir -p /image/etc/hooktape /image/var/lib/hooktape \
    && cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /image/etc/zoneinfo.zip

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/usr /usr
COPY --from=build /image/etc /etc
COPY --from=build --chown=10001:10001 /image/var/lib/hooktape /var/lib/hooktape
ENV ZONEINFO=/etc/zoneinfo.zip \
    HOOKTAPE_CONFIG=/etc/hooktape/hooktape.yaml \
    HOOKTAPE_DATA=/var/lib/hooktape \
    HOOKTAPE_INGEST_ADDR=0.0.0.0:8080 \
    HOOKTAPE_API_ADDR=0.0.0.0:8081
USER 10001:10001
VOLUME /var/lib/hooktape
EXPOSE 8080 8081
HEALTHCHECK --interval=15s --timeout=6s --start-period=30s --retries=3 CMD ["hooktape", "healthcheck"]
ENTRYPOINT ["hooktape"]
CMD ["ingest"]
