package chhttp

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// judge decides which statements may run. Grants already confine users to hooktape's databases, but a library lacks
// some of a server's limits: its function file reads every file, for example. So the judge has lists of everything that
// is allowed. It checks the text that the engine's own parser returns (formatQuery), and that text runs.
type judge struct {
	// known are the functions and table functions of the engine, in lower case. Other names are views with parameters
	// or combinations of aggregate functions, which reach nothing beyond the grants.
	known map[string]bool
	// allowed are the known functions that may be called.
	allowed map[string]bool
	// lenient permits everything that the grants allow: see Server.Unjudged.
	lenient bool

	mutex sync.Mutex
	cache map[string]judged
}

type judged struct {
	statement *statement
	err       error
}

const (
	// maxCached bounds the cache in statements, maxCachedText the statements in it in bytes.
	maxCached     = 1024
	maxCachedText = 8 << 10
)

// functionList has the functions that reach nothing outside the engine; each was reviewed. A newer engine's functions
// are refused until they are in it (see TestFunctionsAreReviewed).
//
//go:embed functions.txt
var functionList string

// newJudge queries the engine for the names of all functions.
func newJudge(conn *libchdb.Conn) (*judge, error) {
	result, err := conn.Query("SELECT DISTINCT lower(name) FROM (SELECT name FROM system.functions UNION ALL SELECT "+
		"name FROM system.table_functions)",
		"TSVRaw", nil)
	if err != nil {
		return nil, fmt.Errorf("ask the engine for its functions: %w", err)
	}
	defer result.Free()
	j := &judge{known: map[string]bool{}, allowed: map[string]bool{}, cache: map[string]judged{}}
	for function := range strings.FieldsSeq(string(result.Bytes())) {
		j.known[function] = true
	}
	for function := range strings.FieldsSeq(functionList) {
		j.allowed[function] = true
	}
	return j, nil
}

// statement has the engine parse one statement, and returns an error if it may not run.
func (j *judge) statement(conn *libchdb.Conn, sql string) (*statement, error) {
	j.mutex.Lock()
	known, ok := j.cache[sql]
	j.mutex.Unlock()
	if ok {
		return known.statement, known.err
	}
	s, err := j.read(conn, sql)
	if len(sql) <= maxCachedText {
		j.mutex.Lock()
		defer j.mutex.Unlock()
		if len(j.cache) >= maxCached {
			clear(j.cache)
		}
		j.cache[sql] = judged{s, err}
	}
	return s, err
}

func (j *judge) read(conn *libchdb.Conn, sql string) (*statement, error) {
	formatted, err := format(conn, sql)
	if err != nil {
		return nil, err
	}
	tokens, err := tokenize(formatted)
	if err != nil {
		return nil, err
	}
	s := &statement{text: formatted, tokens: tokens}
	s.classify()
	if j.lenient {
		return s, nil
	}
	return s, j.check(s)
}

// format returns a statement as the engine's parser has understood it. More than one statement is an error.
func format(conn *libchdb.Conn, sql string) (string, error) {
	result, err := conn.Query(fmt.Sprintf("SELECT formatQuerySingleLine({sql:String}) SETTINGS max_query_size = %d",
		4*maxStatement),
		"RawBLOB", map[string]string{"sql": escape(sql)})
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), ": In scope SELECT formatQuery")
		return "", asException(libchdb.Error(strings.TrimSuffix(text, " (SYNTAX_ERROR)") + " (SYNTAX_ERROR)"))
	}
	defer result.Free()
	return string(result.Bytes()), nil
}

// escape returns the value of a parameter in ClickHouse's escaped form.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(s)
}

// kinds are the statements that may run, by their first words, and whether they only read.
var kinds = []struct {
	words string
	reads bool
}{
	{"SELECT", true}, {"WITH", true}, {"(", true}, {"EXPLAIN", true}, {"DESCRIBE TABLE", true}, {"EXISTS", true},
	{"SHOW CREATE", true}, {"SHOW TABLES", true}, {"SHOW DATABASES", true}, {"SHOW COLUMNS", true},
	{"SHOW INDEXES", true}, {"SHOW FULL", true}, {"CHECK TABLE", false}, {"CHECK GRANT", true},
	{"INSERT INTO", false},
	{"CREATE DATABASE", false}, {"CREATE TABLE", false}, {"CREATE OR REPLACE TABLE", false}, {"CREATE VIEW", false},
	{"CREATE OR REPLACE VIEW", false}, {"CREATE MATERIALIZED VIEW", false}, {"CREATE TEMPORARY TABLE", false},
	{"REPLACE TABLE", false},
	{"ALTER TABLE", false}, {"DELETE FROM", false}, {"UPDATE", false},
	{"DROP DATABASE", false}, {"DROP TABLE", false}, {"DROP VIEW", false}, {"TRUNCATE TABLE", false},
	{"RENAME TABLE", false}, {"EXCHANGE TABLES", false}, {"OPTIMIZE TABLE", false},
	{"KILL QUERY", false}, {"KILL MUTATION", false},
	{"SYSTEM STOP MERGES", false}, {"SYSTEM START MERGES", false}, {"SYSTEM STOP TTL MERGES", false},
	{"SYSTEM START TTL MERGES", false}, {"SET", false},
}

var (
	formats = regexp.MustCompile(`(?i)^(Native|(TabSeparated|TSV|CSV|Raw|LineAsString|CustomSeparated)\w*|JSON\w*|NDJSON|GeoJSON|(\w*Pretty)\w*|RowBinary\w*|RawBLOB|` +
		`Parquet|Arrow|ArrowStream|ORC|Avro|Values|Vertical|XML|Markdown|MD|MsgPack|BSONEachRow|SQLInsert|TSKV|Npy|Null|One|Hash|Form|Regexp|Prometheus)$`)
	engines = []string{"Atomic", "Memory", "Null", "MergeTree", "ReplacingMergeTree", "SummingMergeTree",
		"AggregatingMergeTree", "CollapsingMergeTree", "VersionedCollapsingMergeTree", "CoalescingMergeTree", "Log",
		"TinyLog", "StripeLog", "Set", "Join", "View", "MaterializedView"}
	// settings are the allowed settings of queries and tables. None of them names a file, an address or a dialect, or
	// makes the engine compute an expression that was not judged.
	settings = regexp.MustCompile(`^(readonly|log_comment|extremes|priority|workload|final|session_timezone|async_insert\w*|wait_for_async_insert\w*|` +
		`check_query_single_value_result|allow_drop_detached|distributed_ddl_task_timeout|insert_deduplicat\w*|insert_quorum\w*|deduplicate_\w*|mutations_sync|alter_sync|lightweight_\w*|distributed_product_mode|` +
		`prefer_localhost_replica|skip_unavailable_shards|\w+_overflow_mode|cancel_http_readonly_queries_on_client_close|` +
		`enable_http_compression|network_compression_method|network_zstd_compression_level|http_zlib_compression_level|http_(connection|send|receive)_timeout|` +
		`(connect|send|receive)_timeout\w*|send_progress_in_http_headers|http_headers_progress_interval_ms|http_response_buffer_size|` +
		`http_write_exception_in_output_format|(max|min)_\w+|force_(primary_key|index_by_date|data_skipping_indices|optimize_projection\w*)|` +
		`optimize_\w+|(enable|allow|use|preferred)_(experimental_(analyzer|projection_optimization|json_type|statistics|full_text_index)|analyzer|` +
		`json_type|dynamic_type|variant_type|materialized_cte|optimize_predicate_expression|uncompressed_cache|query_cache|query_condition_cache|skip_indexes|skip_indexes_if_final|` +
		`suspicious_\w+|nondeterministic_mutations|positional_arguments|named_columns_in_function_tuple|early_constant_folding|block_size_bytes|block_number_column|block_offset_column|` +
		`time_time64_type|full_text_index|lightweight_update|lightweight_delete|nullable_key|push_predicate_when_subquery_contains_with)|` +
		`query_plan_\w+|query_cache_\w+|join_algorithm|join_use_nulls|join_default_strictness|group_by_\w+|aggregation_\w+|any_join_distinct_right_table_keys|` +
		`do_not_merge_across_partitions_select_final|select_sequential_consistency|parallel_replicas_\w+|load_balancing|` +
		`date_time_(input|output)_format|date_time_overflow_behavior|cast_\w+|transform_null_in|union_default_mode|data_type_default_nullable|` +
		`output_format_(json|pretty|csv|tsv|values|markdown|parquet|arrow|orc|msgpack|native|binary|decimal|float|write|trim|sql_insert|parallel)_\w+|` +
		`input_format_(csv|tsv|json|native|parquet|arrow|orc|binary|avro|msgpack|bson|custom)_\w+|` +
		`input_format_values_accurate_types_of_literals|input_format_(allow_errors_num|allow_errors_ratio|defaults_for_omitted_fields|force_null_for_omitted_fields|null_as_default|skip_unknown_fields|parallel_parsing|import_nested_json|max_\w+)|` +
		`format_(csv|tsv|custom|binary)_\w+|` +
		`index_granularity\w*|fsync_\w+|(non_)?replicated_deduplication_window\w*|ttl_only_drop_parts|merge_with_\w+|merge_selecting_\w+|` +
		`merge_max_block_size\w*|materialize_ttl_\w+|parts_to_\w+|old_parts_lifetime|compress_\w+|ratio_of_defaults_for_sparse_serialization|` +
		`enable_mixed_granularity_parts|primary_key_\w+|marks_\w+|replace_long_file_name_to_hash|add_minmax_\w+|assign_part_uuids|` +
		`finished_mutations_to_keep|number_of_\w+|cleanup_delay_period|vertical_merge_\w+|write_marks_for_substreams_in_compact_parts|` +
		`deduplicate_merge_projection_mode|exclude_deleted_rows_for_part_size_in_merge|always_\w+|clean_deleted_rows|` +
		`temporary_directories_lifetime|object_serialization_version|serialization_info_version|string_serialization_version|nullable_serialization_version|dynamic_serialization_version)$`)
)

// check returns an exception if the statement may not run.
func (j *judge) check(s *statement) error {
	if s.kind == "" {
		return codeAccessDenied.errorf("Statements such as %q are not allowed in the embedded engine.",
			beginning(s.text))
	}
	for i, t := range s.tokens {
		after := s.at(i + 1)
		switch {
		case t.called && strings.EqualFold(t.text, "format") && !isPattern(s.at(i+2)):
			// The table function of this name computes the expressions in a text, which are not judged.
			return codeAccessDenied.errorf("Function format is allowed with a pattern such as '{}' only in the " +
				"embedded engine.")
		case t.called && !j.mayCall(t.text):
			return codeAccessDenied.errorf("Function %s is not allowed in the embedded engine.", t.text)
		case t.is("APPLY") && (after.kind == word || after.kind == name) && !j.mayCall(after.text):
			return codeAccessDenied.errorf("Function %s is not allowed in the embedded engine.", after.text)
		case t.is("APPLY") && after.is("(") && !j.mayCall(s.at(i+2).text):
			return codeAccessDenied.errorf("Function %s is not allowed in the embedded engine.", s.at(i+2).text)
		case t.is("OUTFILE"):
			return codeIntoOutfile.errorf("INTO OUTFILE is not allowed.")
		case t.is("INFILE"):
			return codeUnknownTypeOfQuery.errorf("FROM INFILE is not allowed.")
		case t.is("PARALLEL"):
			return codeSyntaxError.errorf("Syntax error (Multi-statements are not allowed).")
		case t.is("ENGINE") && after.is("=") && !slices.Contains(engines, s.at(i+2).text):
			return codeAccessDenied.errorf("Engine %s is not allowed in the embedded engine.", s.at(i+2).text)
		case t.is("FORMAT") && (after.kind == word || after.kind == name):
			if err := checkFormat(after.text); err != nil {
				return err
			}
		case t.is("SETTINGS", "SETTING"), i == 0 && t.is("SET"):
			if err := checkSettings(s, i+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// isPattern reports whether the token is a pattern of the function format, and so no name of a format.
func isPattern(t token) bool { return t.kind == text && strings.Contains(t.text, "{") }

func (j *judge) mayCall(function string) bool {
	function = strings.ToLower(function)
	return j.allowed[function] || !j.known[function]
}

// checkSettings reads "name = value, …" from token i on, to the end of the clause.
func checkSettings(s *statement, i int) error {
	depth := s.at(i).depth
	for ; i < len(s.tokens) && s.tokens[i].depth >= depth && !s.tokens[i].is("SELECT"); i++ {
		t := s.tokens[i]
		if t.depth == depth && (t.kind == word || t.kind == name) && s.at(i+1).is("=") {
			if err := checkSetting(t.text); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkSetting(name string) error {
	if settings.MatchString(name) {
		return nil
	}
	return codeUnknownSetting.errorf("Setting %s is unknown, or not allowed in the embedded engine.", name)
}

func checkFormat(name string) error {
	if formats.MatchString(name) {
		return nil
	}
	return codeUnknownFormat.errorf("Format %s is unknown, or not allowed in the embedded engine.", name)
}

// admits returns an exception if the request's settings, format or database are not allowed for the statement.
func (j *judge) admits(req *request, s *statement) error {
	if j.lenient {
		return nil
	}
	for setting := range req.settings {
		if err := checkSetting(setting); err != nil {
			return err
		}
	}
	if err := checkFormat(req.defaultFormat); err != nil {
		return err
	}
	if !req.reader {
		return nil
	}
	if !s.reads {
		return codeAccessDenied.errorf("The user reader only reads: %s is not allowed.", s.kind)
	}
	if strings.EqualFold(req.database, "system") {
		return codeAccessDenied.errorf("Name the tables of system in the statement: system.tables, for example.")
	}
	for i, t := range s.tokens {
		if t.kind == symbol && strings.HasSuffix(t.text, ":Identifier}") {
			return codeAccessDenied.errorf("The user reader may not use parameters of the type Identifier.")
		}
		if t.kind != symbol && strings.EqualFold(t.text, "system") && s.at(i+1).is(".") &&
			!slices.Contains(readable, s.at(i+2).text) {
			return codeAccessDenied.errorf("The user reader may not read system.%s.", s.at(i+2).text)
		}
	}
	return nil
}

// readable are the tables of system that the user reader may read: those that Grafana's editor and the dashboards need,
// and the sizes of tables. Other tables show what other users do.
var readable = []string{"columns", "data_type_families", "databases", "formats", "functions", "numbers", "one", "parts",
	"parts_columns", "settings", "table_engines", "tables", "time_zones"}
