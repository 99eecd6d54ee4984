package chhttp

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// maxConcurrent bounds the statements that run at once; more wait. Each holds a thread.
const maxConcurrent = 64

// Server is the HTTP interface.
type Server struct {
	Engine *libchdb.Engine
	// Password is the password of the user "default", who writes, ReaderPassword that of the user "reader".
	Password, ReaderPassword string
	// Unjudged permits all statements that the engine's grants allow, for tests of grants.
	Unjudged bool
	// TempDir holds large request bodies while they arrive.
	TempDir string
	Log     *slog.Logger

	displayName string
	context     column.ServerContext
	slots       chan struct{}
	judge       *judge
}

// Init queries the engine for the properties that clients ask a server for first.
func (s *Server) Init() error {
	s.slots = make(chan struct{}, maxConcurrent)
	conn, err := s.Engine.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	result, err := conn.Query("SELECT displayName(), version(), timezone()", "Native", nil)
	if err != nil {
		return fmt.Errorf("ask the engine for its version: %w", err)
	}
	defer result.Free()
	var block proto.Block
	block.ServerContext = &s.context
	if err := block.Decode(chproto.NewReader(strings.NewReader(string(result.Bytes()))), 0); err != nil {
		return fmt.Errorf("read the engine's version: %w", err)
	}
	version := proto.ParseVersion(block.Columns[1].Row(0, false).(string))
	location, err := time.LoadLocation(block.Columns[2].Row(0, false).(string))
	if err != nil {
		return fmt.Errorf("load the engine's time zone: %w", err)
	}
	s.displayName = block.Columns[0].Row(0, false).(string)
	s.context = column.ServerContext{Revision: proto.DBMS_TCP_PROTOCOL_VERSION, VersionMajor: version.Major,
		VersionMinor: version.Minor, VersionPatch: version.Patch, Timezone: location}
	if s.judge, err = newJudge(conn); err != nil {
		return err
	}
	s.judge.lenient = s.Unjudged
	return nil
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, begun := &response{w: w, r: r, server: s}, time.Now()
	w.Header().Set("X-ClickHouse-Server-Display-Name", s.displayName)
	w.Header().Set("X-ClickHouse-Timezone", s.context.Timezone.String())
	err := s.route(r, o)
	if err == nil {
		err = o.finish()
	}
	s.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "took", time.Since(begun), "error", err)
	if err != nil {
		// Also to a client that has disconnected: a client that is connected, because the server is stopping, must not
		// take silence for success.
		o.fail(asException(err))
	}
}

func (s *Server) route(r *http.Request, o *response) error {
	if err := checkOrigin(r); err != nil {
		return err
	}
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		return s.greet(o)
	case "/":
	default:
		o.w.WriteHeader(http.StatusNotFound)
		o.sent = true
		_, err := fmt.Fprintf(o.w, "There is no handle %s\n\nUse / or /ping for health checks.\n", r.URL.Path)
		return err
	}
	reader, err := s.authenticate(r)
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return s.query(r, reader, o)
	}
	return codeNotImplemented.errorf("Method %s is not supported.", r.Method)
}

// greet answers a request without a query.
func (s *Server) greet(o *response) error {
	o.sent = true
	_, err := fmt.Fprint(o.w, "Ok.\n")
	return err
}
