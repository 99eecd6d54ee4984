// Package compose tries docker-compose.yml, the Dockerfile and what they mount, as far as that goes without a container
// engine: that Compose reads the file, that names, ports, users and variables agree among all the files, that
// ClickHouse's users may do what their programs do and no more, and that the image's program comes out of the
// Dockerfile's own commands.
package compose
