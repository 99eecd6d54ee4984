package chhttp

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// output is the response to one statement. Nothing is sent before its first byte or its end, so that a statement that fails
// at once gets a status that says so.
type output struct {
	w       http.ResponseWriter
	r       *http.Request
	server  *Server
	started time.Time

	sent    bool
	body    io.Writer
	encoder io.Closer
	tag     string
	stats   libchdb.Stats
}

// begin sends the headers and builds the way of the data: Native revision, then compression.
func (o *output) begin(req *request, format string) {
	o.sent = true
	o.tag = rand.Text()[:16]
	h := o.w.Header()
	h.Set("Content-Type", contentType(format))
	h.Set("X-ClickHouse-Format", format)
	h.Set("X-ClickHouse-Exception-Tag", o.tag)
	h.Set("X-ClickHouse-Summary", o.summary())
	o.body = o.w
	if i := accepted(o.r.Header.Get("Accept-Encoding")); req.compress {
		o.body = newBlockWriter(o.w, req.settings["network_compression_method"])
	} else if i >= 0 && req.settings["enable_http_compression"] != "0" {
		h.Set("Content-Encoding", encodings[i].name)
		h.Add("Vary", "Accept-Encoding")
		encoder := encodings[i].open(o.w)
		o.body, o.encoder = encoder, encoder
	}
	if isNative(format) && req.revision > 0 {
		o.body = newNativeWriter(o.body, req.revision, &o.server.context)
	}
}

// finish ends a response that went well. One without data says so by its length, and has no encoding.
func (o *output) finish() error {
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

// fail ends a response with an error. After the headers it can only stand in the body; the connection is then broken off, so
// that no client takes half a result for a whole one.
func (o *output) fail(e *exception) {
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
		plain = o.encoder.(io.Writer)
	}
	fmt.Fprintf(plain, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, text, len(text)+1, o.tag)
	if o.encoder != nil {
		o.encoder.Close()
	}
	http.NewResponseController(o.w).Flush()
	panic(http.ErrAbortHandler)
}

// summary is ClickHouse's X-ClickHouse-Summary: numbers as strings.
func (o *output) summary() string {
	text, _ := json.Marshal(map[string]string{
		"read_rows":          strconv.FormatUint(o.stats.ReadRows, 10),
		"read_bytes":         strconv.FormatUint(o.stats.ReadBytes, 10),
		"written_rows":       strconv.FormatUint(o.stats.WrittenRows, 10),
		"written_bytes":      strconv.FormatUint(o.stats.WrittenBytes, 10),
		"total_rows_to_read": "0",
		"result_rows":        strconv.FormatUint(o.stats.ResultRows, 10),
		"result_bytes":       "0",
		"elapsed_ns":         strconv.FormatInt(time.Since(o.started).Nanoseconds(), 10),
	})
	return string(text)
}
