package ingest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

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

// BenchmarkForward forwards External Requests like BotHelp's to an endpoint on a real connection, with spans and
// metrics, but without a bot's connection and a disk. It reports the CPU time of the process, with that of the
// endpoint.
func BenchmarkForward(b *testing.B) {
	tests := otel.GetTracerProvider()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}))
	otel.SetTracerProvider(tracers)
	b.Cleanup(func() {
		otel.SetTracerProvider(tests)
		_ = tracers.Shutdown(context.Background())
	})
	server, err := ingest.NewServer(ingest.DefaultOptions(), ingest.NewSources([]ingest.Source{
		forwarding(quickBackend(b), func(f *ingest.Forward) { f.Expect = []string{"price", "paid"} })}), nowhere{}, nil,
		slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	handler, body := server.Handler(), bytes.Repeat([]byte("x"), 550)
	request := httptest.NewRequest(http.MethodPost, priceHook+"/quote?sku=12", nil)
	request.Header = http.Header{"User-Agent": {"GuzzleHttp/7"}, "Content-Type": {"application/json"},
		"Content-Length": {"550"}}
	request.ContentLength = int64(len(body))
	answer := &discarded{header: http.Header{}}
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		r := *request
		r.Body = io.NopCloser(bytes.NewReader(body))
		clear(answer.header)
		handler.ServeHTTP(answer, &r)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	if answer.status != http.StatusCreated {
		b.Errorf("got status %d", answer.status)
	}
}

// cpuTime returns the CPU time of this process.
func cpuTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it cannot fail with these arguments
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// quickBackend answers each request with the same bytes as soon as its header has arrived, and returns its URL.
func quickBackend(b *testing.B) (url string) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(b.Context(), func() { c.Close() })
			connections.Go(func() {
				defer c.Close()
				for buffer := make([]byte, 64<<10); ; {
					if _, err := c.Read(buffer); err != nil {
						return
					}
					io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nDate: "+
						"Mon, 30 Nov 2026 04:00:00 GMT\r\nContent-Length: 29\r\n\r\n"+`{"price":"1990","paid":"yes"}`)
				}
			})
		}
	})
	b.Cleanup(func() { listener.Close(); connections.Wait() })
	return "http://" + listener.Addr().String() + "/bot"
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
