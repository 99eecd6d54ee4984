package libchdb

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serverConfig keeps an idle engine small: the default limits of the caches suit a server with many gigabytes of
// memory. The engine reads it once, when it starts.
const serverConfig = `<clickhouse>
    <users_config>%USERS%</users_config>
    <max_server_memory_usage_to_ram_ratio>0.6</max_server_memory_usage_to_ram_ratio>
    <max_thread_pool_size>1000</max_thread_pool_size>
    <mark_cache_size>67108864</mark_cache_size>
    <index_mark_cache_size>33554432</index_mark_cache_size>
    <primary_index_cache_size>67108864</primary_index_cache_size>
    <text_index_tokens_cache_size>33554432</text_index_tokens_cache_size>
    <text_index_header_cache_size>33554432</text_index_header_cache_size>
    <text_index_postings_cache_size>67108864</text_index_postings_cache_size>
    <vector_similarity_index_cache_size>16777216</vector_similarity_index_cache_size>
    <parquet_metadata_cache_size>16777216</parquet_metadata_cache_size>
    <iceberg_metadata_files_cache_size>16777216</iceberg_metadata_files_cache_size>
    <query_condition_cache_size>33554432</query_condition_cache_size>
    <compiled_expression_cache_size>33554432</compiled_expression_cache_size>
    <storage_configuration><disks>
        <default><keep_free_space_bytes>%KEEPFREE%</keep_free_space_bytes></default>
    </disks></storage_configuration>
</clickhouse>
`

// ReaderRole is the role of a session that only reads. All sessions of the library have the same user, and begin with
// the rights of all roles.
const ReaderRole = "hooktape_reader"

// usersConfig gives the one user two roles and nothing else, because a library's process may reach every file and
// address: no SOURCES (files, URLs, other databases), dictionaries, users, backups or functions. The settings restore
// the defaults of a server where the library's differ.
const usersConfig = `<clickhouse>
    <profiles>
        <default>
            <implicit_select>0</implicit_select>
            <allow_introspection_functions>0</allow_introspection_functions>
        </default>
    </profiles>
    <quotas><default/></quotas>
    <roles>
        <hooktape_reader><grants>%READER%</grants></hooktape_reader>
        <hooktape_writer><grants>%WRITER%</grants></hooktape_writer>
    </roles>
    <users>
        <default>
            <password></password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT hooktape_reader, hooktape_writer</query>
                <query>GRANT KILL QUERY ON *.*</query>
            </grants>
        </default>
    </users>
</clickhouse>
`

// writerRights are the rights on hooktape's databases: reading, writing, migrations and retention.
const writerRights = "SELECT, INSERT, SHOW, CHECK, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP, " +
	"TRUNCATE, OPTIMIZE, " +
	"SYSTEM MERGES, SYSTEM TTL MERGES"

// grants returns the rights on each of the databases. A name that ends in * matches all names with that prefix. The
// reader does not see the headers and addresses of replays, which may contain a receiver's secrets.
func grants(databases []string) (reader, writer string) {
	for _, database := range databases {
		prefix, many := strings.CutSuffix(database, "*")
		name := "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(prefix) + "`"
		if many {
			name += "*"
		}
		reader += query("GRANT SELECT, SHOW ON " + name + ".*")
		if !many {
			reader += query("REVOKE SELECT(headers, url) ON " + name + ".replays")
		}
		writer += query("GRANT " + writerRights + " ON " + name + ".*")
	}
	return reader, writer
}

func query(sql string) string {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(sql)) // a Builder takes everything
	return "<query>" + escaped.String() + "</query>"
}

// writeConfig writes both files into the data directory and returns the path of the first.
func writeConfig(dir string, databases []string) (string, error) {
	users := filepath.Join(dir, "hooktape-users.xml")
	server := filepath.Join(dir, "hooktape-config.xml")
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(users)); err != nil {
		return "", err
	}
	config := strings.NewReplacer("%USERS%", escaped.String(), "%KEEPFREE%",
		strconv.Itoa(keepFree)).Replace(serverConfig)
	reader, writer := grants(databases)
	rights := strings.NewReplacer("%READER%", reader, "%WRITER%", writer).Replace(usersConfig)
	if err := os.WriteFile(users, []byte(rights), 0o600); err != nil {
		return "", err
	}
	return server, os.WriteFile(server, []byte(config), 0o600)
}
