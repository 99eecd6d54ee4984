package chhttp

import (
	"bytes"
	"errors"
	"io"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// joinable are the formats whose pieces can be concatenated. The engine formats each piece of a streamed result as a
// document of its own, which for JSON or Parquet would give several documents.
var joinable = map[string]bool{"native": true, "rowbinary": true, "tabseparated": true, "tsv": true,
	"tabseparatedraw": true, "tsvraw": true, "csv": true, "jsoneachrow": true, "jsonlines": true, "ndjson": true,
	"jsoncompacteachrow": true, "jsonstringseachrow": true, "jsoncompactstringseachrow": true, "rawblob": true}

// isJoinable reports whether the pieces of a result can be concatenated. The setting that makes one array of JSON rows
// prevents it.
func isJoinable(format, sql string, settings map[string]string) bool {
	const array = "output_format_json_array_of_rows"
	_, set := settings[array]
	return joinable[strings.ToLower(format)] && !set && !strings.Contains(sql, array)
}

func isNative(format string) bool { return strings.EqualFold(format, "Native") }

// contentType returns the Content-Type of a format. Clients know the format that they asked for; browsers and curl
// users profit from the difference between text, JSON and binary data.
func contentType(format string) string {
	name := strings.ToLower(format)
	switch {
	case strings.HasPrefix(name, "json"), name == "ndjson":
		return "application/json; charset=UTF-8"
	case isNative(format), name == "parquet", strings.HasPrefix(name, "arrow"), name == "orc", name == "avro",
		strings.HasPrefix(name, "rowbinary"), name == "rawblob":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

// nativeWriter rewrites blocks of the Native format from revision 0, the format of files, to the client's revision. The
// engine writes only revision 0. The two differ in a prefix a block and a byte a column, but the columns' ends are
// found only by decoding them.
type nativeWriter struct {
	next     io.Writer
	revision uint64
	context  *column.ServerContext
	buffer   chproto.Buffer
}

func newNativeWriter(next io.Writer, revision uint64, context *column.ServerContext) *nativeWriter {
	return &nativeWriter{next: next, revision: min(revision, proto.DBMS_TCP_PROTOCOL_VERSION), context: context}
}

// Write takes whole blocks.
func (w *nativeWriter) Write(blocks []byte) (int, error) {
	r := chproto.NewReader(bytes.NewReader(blocks))
	for {
		block := proto.Block{ServerContext: w.context}
		if err := block.Decode(r, 0); errors.Is(err, io.EOF) {
			return len(blocks), nil
		} else if err != nil {
			return 0, err
		}
		w.buffer.Reset()
		if err := block.Encode(&w.buffer, w.revision); err != nil {
			return 0, err
		}
		if _, err := w.next.Write(w.buffer.Buf); err != nil {
			return 0, err
		}
	}
}
