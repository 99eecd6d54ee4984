package chhttp

import (
	"bytes"
	"cmp"
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

// killPause is the time between two attempts to cancel the query of a disconnected client: the first may precede the
// query.
const killPause = 100 * time.Millisecond

// query runs one request's statement.
func (s *Server) query(r *http.Request, reader bool, o *response) error {
	req, err := parseRequest(r, reader)
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
	return s.inSession(r.Context(), func(conn *libchdb.Conn) error {
		stmt, dataAt, err := s.judge.parse(conn, head)
		if err == nil {
			err = s.judge.admits(req, stmt)
		}
		if err != nil {
			return err
		}
		if stmt.hasData && strings.EqualFold(stmt.format, "Values") {
			compute := false
			if len(head) < maxStatement {
				if compute, err = s.judge.mayCompute(conn, head[dataAt:]); err != nil {
					return err
				}
			}
			if !compute {
				req.settings["input_format_values_interpret_expressions"] = "0"
				req.settings["input_format_values_deduce_templates_of_expressions"] = "0"
			}
		}
		if format := cmp.Or(stmt.format, req.defaultFormat); isNative(format) && req.revision > 0 {
			// Of the two forms of JSON and Dynamic only this one can be decoded and encoded again.
			req.settings["output_format_native_use_flattened_dynamic_and_json_serialization"] = "1"
		}
		mark := uuid.NewString()
		if err := prepare(conn, req, mark); err != nil {
			return err
		}
		if stmt.reads {
			defer s.killWhenGone(r.Context(), mark)()
		}
		if stmt.hasData {
			data := io.MultiReader(bytes.NewReader(head[dataAt:]), text)
			o.stats, err = conn.Insert(stmt.text, stmt.format, req.params, data)
			return err
		}
		return send(r.Context(), conn, req, stmt, o)
	})
}

// inSession opens a session and calls run with it.
func (s *Server) inSession(ctx context.Context, run func(*libchdb.Conn) error) error {
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
	return run(conn)
}

// prepare sets the session's role, settings and database. readonly comes last: afterwards the engine refuses to change
// it, whatever the statement says.
func prepare(conn *libchdb.Conn, req *request, mark string) error {
	statements := []string{req.setStatement(mark)}
	if req.reader {
		statements = append(statements, "SET ROLE "+libchdb.ReaderRole)
	}
	if req.database != "" && req.database != "default" { // a session begins in default
		statements = append(statements, "USE "+quoteName(req.database))
	}
	if req.readonly != "" {
		statements = append(statements, "SET readonly = "+quote(req.readonly))
	}
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// killWhenGone cancels the query when the context ends, until stop is called.
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
		s.Log.Warn("the query of a disconnected client could not be cancelled", "error", err)
	}
}

// send runs a statement and writes its result.
func send(ctx context.Context, conn *libchdb.Conn, req *request, stmt *statement, o *response) error {
	format := cmp.Or(stmt.format, req.defaultFormat)
	if stmt.streams() && !req.whole && isJoinable(format, stmt.text, req.settings) {
		stream, err := conn.Stream(stmt.text, format, req.params)
		if err == nil {
			defer stream.Close()
			return sendPieces(ctx, stream, req, format, o)
		}
		if !strings.Contains(err.Error(), "Streaming query is not supported") {
			return err
		}
	}
	result, err := conn.Query(stmt.text, format, req.params)
	if err != nil {
		return err
	}
	defer result.Free()
	return sendPiece(result, req, format, o)
}

func sendPieces(ctx context.Context, stream *libchdb.Stream, req *request, format string, o *response) error {
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

func sendPiece(piece *libchdb.Result, req *request, format string, o *response) error {
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
