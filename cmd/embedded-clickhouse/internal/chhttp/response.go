package chhttp

import (
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// response is the response to one statement. It sends nothing before its first byte or its end, so a statement that
// fails before either gets an error status.
type response struct {
	w      http.ResponseWriter
	r      *http.Request
	server *Server

	sent    bool
	body    io.Writer
	encoder *gzip.Writer // of body; nil sends it uncompressed
	tag     string
	stats   libchdb.Stats
}

// begin sets the headers, and the writers that the data passes: Native revision, then compression.
func (o *response) begin(req *request, format string) {
	o.sent = true
	o.tag = rand.Text()[:16]
	h := o.w.Header()
	h.Set("Content-Type", contentType(format))
	h.Set("X-ClickHouse-Format", format)
	h.Set("X-ClickHouse-Exception-Tag", o.tag)
	h.Set("X-ClickHouse-Summary", o.summary())
	o.body = o.w
	if req.compress {
		o.body = blockWriter{o.w, compress.NewWriter(compress.LevelZero, compress.LZ4)}
	} else if acceptsGzip(o.r.Header.Get("Accept-Encoding")) && req.settings["enable_http_compression"] != "0" {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		o.encoder, _ = gzip.NewWriterLevel(o.w, gzip.BestSpeed) // a valid level
		o.body = o.encoder
	}
	if isNative(format) && req.revision > 0 {
		o.body = newNativeWriter(o.body, req.revision, &o.server.context)
	}
}

// finish ends the response to a successful statement. A response without data has no encoding.
func (o *response) finish() error {
	if !o.sent {
		o.w.Header().Set("X-ClickHouse-Summary", o.summary())
		o.w.WriteHeader(http.StatusOK)
		return nil
	}
	if o.encoder != nil {
		return o.encoder.Close()
	}
	return nil
}

// fail ends a response with an error. After the headers the error can only be in the body. Then fail closes the
// connection, so that no client takes half a result for a whole one.
func (o *response) fail(e *exception) {
	if !o.sent {
		h := o.w.Header()
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
		if e.code == codeRequiredPassword.code {
			h.Set("WWW-Authenticate", `Basic realm="ClickHouse"`)
		}
		o.w.WriteHeader(e.status())
		fmt.Fprintln(o.w, e.text)
		return
	}
	const maxText = 12 << 10
	text := e.text[:min(len(e.text), maxText)]
	var plain io.Writer = o.w
	if o.encoder != nil {
		plain = o.encoder
	}
	fmt.Fprintf(plain, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, text, len(text)+1, o.tag)
	if o.encoder != nil {
		o.encoder.Close()
	}
	http.NewResponseController(o.w).Flush()
	panic(http.ErrAbortHandler)
}

// summary returns the value of X-ClickHouse-Summary: numbers as strings.
func (o *response) summary() string {
	return fmt.Sprintf(`{"read_rows":"%d","written_rows":"%d","result_rows":"%d"}`, o.stats.ReadRows,
		o.stats.WrittenRows, o.stats.ResultRows)
}

func acceptsGzip(accepted string) bool {
	for item := range strings.SplitSeq(accepted, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.TrimSpace(quality) != "q=0"
		}
	}
	return false
}

// maxBlock is the largest content of one compressed block, as in ClickHouse.
const maxBlock = 1 << 20

// blockWriter writes ClickHouse's own compressed blocks.
type blockWriter struct {
	next io.Writer
	c    *compress.Writer
}

func (w blockWriter) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		n := min(len(rest), maxBlock)
		if err := w.c.Compress(rest[:n]); err != nil {
			return 0, err
		}
		if _, err := w.next.Write(w.c.Data); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(data), nil
}
