package ingest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"hooktape/ingest"
	"hooktape/internal/spool"
)

// BenchmarkCapture receives webhooks like BotHelp's, with spans and metrics, but without a network and a disk.
func BenchmarkCapture(b *testing.B) {
	tests := otel.GetTracerProvider()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}))
	otel.SetTracerProvider(tracers)
	b.Cleanup(func() {
		otel.SetTracerProvider(tests)
		_ = tracers.Shutdown(context.Background())
	})
	server, err := ingest.NewServer(ingest.DefaultOptions(), ingest.NewSources(sources), nowhere{}, nil,
		slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	handler, body := server.Handler(), bytes.Repeat([]byte("x"), 550)
	request := httptest.NewRequest(http.MethodPost, "/hooks/demo/"+token+"/start", nil)
	request.Header = http.Header{"User-Agent": {"GuzzleHttp/7"}, "Content-Type": {"application/json"},
		"Content-Length": {"550"}}
	request.ContentLength = int64(len(body))
	answer := &discarded{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r := *request
		r.Body = io.NopCloser(bytes.NewReader(body))
		clear(answer.header)
		handler.ServeHTTP(answer, &r)
	}
	if answer.status != http.StatusOK {
		b.Errorf("got status %d", answer.status)
	}
}

// nowhere discards records and spans.
type nowhere struct{}

func (nowhere) Append(context.Context, []byte, ...spool.Note) error        { return nil }
func (nowhere) Notes() ([]spool.Note, error)                               { return nil, nil }
func (nowhere) Ready() error                                               { return nil }
func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// discarded is an answer of which only the status is recorded.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) WriteHeader(status int)      { d.status = status }
func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }
