package libchdb

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serverConfig keeps an idle engine small: the caches' own limits are made for a server of many gigabytes. The engine
// reads them once, when it starts.
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
    <storage_configuration><disks><default><keep_free_space_bytes>%KEEPFREE%</keep_free_space_bytes></default></disks></storage_configuration>
</clickhouse>
`

// usersConfig makes the one user behave as on a server. A library's host may read every file and open every connection that
// its user may, and so could everyone who reaches our port: SOURCES (files, URLs, other databases) and the table engines of
// that kind are taken away (the others, such as MergeTree, need no grant). SYSTEM SHUTDOWN would send SIGTERM to our whole process group. The settings undo what the
// library sets differently from a server.
const usersConfig = `<clickhouse>
    <profiles>
        <default>
            <implicit_select>0</implicit_select>
            <allow_introspection_functions>0</allow_introspection_functions>
        </default>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password></password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT ALL ON *.*</query>
                <query>REVOKE SOURCES ON *.*</query>
                <query>REVOKE SYSTEM SHUTDOWN ON *.*</query>
                <query>REVOKE TABLE ENGINE ON *</query>
            </grants>
        </default>
    </users>
</clickhouse>
`

// writeConfig writes both files into the data directory and returns the path of the first.
func writeConfig(dir string) (string, error) {
	users, server := filepath.Join(dir, "hooktape-users.xml"), filepath.Join(dir, "hooktape-config.xml")
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(users)); err != nil {
		return "", err
	}
	config := strings.NewReplacer("%USERS%", escaped.String(), "%KEEPFREE%", strconv.Itoa(keepFree)).Replace(serverConfig)
	if err := os.WriteFile(users, []byte(usersConfig), 0o600); err != nil {
		return "", err
	}
	return server, os.WriteFile(server, []byte(config), 0o600)
}
