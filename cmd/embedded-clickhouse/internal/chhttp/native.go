package chhttp

import (
	"bytes"
	"errors"
	"io"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// nativeWriter rewrites blocks of the Native format from revision 0, the format of files, which is all that the engine
// writes, to the client's revision. They differ in a prefix a block and a byte a column, but finding the columns' ends
// takes decoding them.
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
