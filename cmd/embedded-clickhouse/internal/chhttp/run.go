package chhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// killPause is the time between two attempts to cancel a query whose client has gone: the first can come before the query.
const killPause = 100 * time.Millisecond

// query runs one request's statement.
func (s *Server) query(r *http.Request, o *output) error {
	req, err := parseRequest(r)
	if err != nil {
		return err
	}
	o.w.Header().Set("X-ClickHouse-Query-Id", req.queryID)
	body, err := readBody(r, req.decompress, s.TempDir)
	if err != nil {
		return err
	}
	defer body.Close()
	text := body.reader()
	if q := r.URL.Query().Get("query"); q != "" {
		// ClickHouse puts a line break between them.
		text = io.MultiReader(strings.NewReader(q+"\n"), text)
	}
	head, err := io.ReadAll(io.LimitReader(text, maxStatement))
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return s.greet(o)
	}
	stmt, err := parseStatement(head)
	if err != nil {
		return err
	}
	if len(head) == maxStatement && !stmt.hasData {
		return codeQueryTooLarge.errorf("The statement has more than %d bytes.", maxStatement)
	}
	if format := first(stmt.format, req.defaultFormat); isNative(format) && req.revision > 0 {
		// Of the two forms of JSON and Dynamic only this one survives being decoded and encoded again.
		req.settings["output_format_native_use_flattened_dynamic_and_json_serialization"] = "1"
	}
	return s.inSession(r.Context(), req, stmt.reads(), func(conn *libchdb.Conn) error {
		if stmt.hasData {
			data := io.MultiReader(bytes.NewReader(head[stmt.dataAt:]), text)
			o.stats, err = conn.Insert(string(head[:stmt.formatAt]), stmt.format, req.params, data)
			return err
		}
		return send(r.Context(), conn, req, stmt, string(head), o)
	})
}

// inSession opens a session with the request's settings and database and gives it to run. If the client goes away, a
// statement that only reads is killed.
func (s *Server) inSession(ctx context.Context, req *request, killable bool, run func(*libchdb.Conn) error) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := s.Engine.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	mark := uuid.NewString()
	if err := conn.Exec(req.setStatement(mark)); err != nil {
		return err
	}
	if req.database != "" {
		if err := conn.Exec("USE " + quoteName(req.database)); err != nil {
			return err
		}
	}
	if killable {
		defer s.killWhenGone(ctx, mark)()
	}
	return run(conn)
}

// killWhenGone watches the context until the returned function is called.
func (s *Server) killWhenGone(ctx context.Context, mark string) (stop func()) {
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		gone := ctx.Done()
		for pause := (<-chan time.Time)(nil); ; pause = time.After(killPause) {
			select {
			case <-over:
				return
			case <-gone:
				gone = nil
			case <-pause:
			}
			s.kill(mark)
		}
	}()
	return func() { close(over); <-stopped }
}

func (s *Server) kill(mark string) {
	conn, err := s.Engine.Connect()
	if err == nil {
		defer conn.Close()
		err = conn.Exec("KILL QUERY WHERE Settings['log_comment'] = " + quote(mark) + " ASYNC")
	}
	if err != nil {
		s.Log.Warn("a query of a client that went away could not be cancelled", "error", err)
	}
}

// send runs a statement and writes its result.
func send(ctx context.Context, conn *libchdb.Conn, req *request, stmt *statement, sql string, o *output) error {
	format := first(stmt.format, req.defaultFormat)
	if stmt.streams() && !req.whole && isJoinable(format, sql, req.settings) {
		stream, err := conn.Stream(sql, format, req.params)
		if err == nil {
			defer stream.Close()
			return sendPieces(ctx, stream, req, format, o)
		}
		if !strings.Contains(err.Error(), "Streaming query is not supported") {
			return err
		}
	}
	result, err := conn.Query(sql, format, req.params)
	if err != nil {
		return err
	}
	defer result.Free()
	return sendPiece(result, req, format, o)
}

func sendPieces(ctx context.Context, stream *libchdb.Stream, req *request, format string, o *output) error {
	for {
		piece, err := stream.Next()
		if err != nil || piece == nil {
			return err
		}
		err = errors.Join(ctx.Err(), sendPiece(piece, req, format, o))
		piece.Free()
		if err != nil {
			return err
		}
	}
}

func sendPiece(piece *libchdb.Result, req *request, format string, o *output) error {
	o.stats = piece.Stats()
	data := piece.Bytes()
	if len(data) == 0 {
		return nil
	}
	if !o.sent {
		o.begin(req, format)
	}
	if _, err := o.body.Write(data); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
