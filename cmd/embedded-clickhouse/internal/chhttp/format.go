package chhttp

import "strings"

// joinable are the formats whose pieces make up the whole when they are written one after another. The engine formats each
// piece of a streamed result as a document of its own, which for JSON or Parquet would be several documents.
var joinable = map[string]bool{"native": true, "rowbinary": true, "tabseparated": true, "tsv": true, "tabseparatedraw": true,
	"tsvraw": true, "csv": true, "jsoneachrow": true, "jsonlines": true, "ndjson": true, "jsoncompacteachrow": true,
	"jsonstringseachrow": true, "jsoncompactstringseachrow": true, "rawblob": true}

// isJoinable also looks for the setting that turns rows of JSON into one array.
func isJoinable(format, sql string, settings map[string]string) bool {
	const array = "output_format_json_array_of_rows"
	_, set := settings[array]
	return joinable[strings.ToLower(format)] && !set && !strings.Contains(sql, array)
}

func isNative(format string) bool { return strings.EqualFold(format, "Native") }

// contentType is what ClickHouse says of a format.
func contentType(format string) string {
	name := strings.ToLower(format)
	switch {
	case strings.HasPrefix(name, "tabseparated"), strings.HasPrefix(name, "tsv"):
		return "text/tab-separated-values; charset=UTF-8"
	case strings.HasPrefix(name, "csvwithnames"):
		return "text/csv; charset=UTF-8; header=present"
	case strings.HasPrefix(name, "csv"):
		return "text/csv; charset=UTF-8; header=absent"
	case strings.Contains(name, "eachrow"), name == "jsonlines", name == "ndjson":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(name, "json"):
		return "application/json; charset=UTF-8"
	case name == "xml":
		return "application/xml; charset=UTF-8"
	case name == "markdown":
		return "text/markdown; charset=UTF-8"
	case name == "native", name == "parquet", name == "arrow", name == "arrowstream", name == "orc", name == "avro",
		strings.HasPrefix(name, "rowbinary"), name == "rawblob":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}
