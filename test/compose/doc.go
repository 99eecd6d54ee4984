// Package compose tests docker-compose.yml, the Dockerfile and the files they mount, as far as possible without a
// container engine: Compose can read the file; names, ports, users and variables agree among all files; ClickHouse's
// users have the rights they need and no more; and the Dockerfile's own commands build the image's program.
package compose
