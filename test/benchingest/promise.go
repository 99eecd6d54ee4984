package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"hooktape/internal/testutil"
	"hooktape/test/harness"
)

// promise measures hooktape without ClickHouse: only capture, spans, spool and fsync. Each run has its own spool,
// because nothing drains it.
func promise(ctx context.Context, b *bench) error {
	for _, n := range connections {
		if err := b.promise(ctx, n); err != nil {
			return err
		}
	}
	bare, kept := b.rateOf("a", most), b.rateOf("b", most)
	if bare > 0 {
		b.note("(b)/(a) at 256", kept/bare, "%.2f", atLeast(0.6))
	}
	return nil
}

func (b *bench) promise(ctx context.Context, connections int) error {
	h, err := b.harness.NewHooktape(ctx, harness.NoClickHouse, "")
	if err != nil {
		return err
	}
	defer h.Kill()
	waitForProfile := func() error { return nil }
	if connections == most {
		waitForProfile = b.profile(ctx, "b", h, b.each)
	}
	_, err = b.load(ctx, server{h.Process, h.Addr, nil}, "b", connections, 0, b.each, nil)
	return errors.Join(err, waitForProfile())
}

// bare measures a handler that stores nothing, in its own process: the limit of gin and the machine.
func bare(ctx context.Context, b *bench) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	addr, err := testutil.FreeAddr()
	if err != nil {
		return err
	}
	process, err := b.harness.NewProgram(ctx, addr, self, "-serve-baseline", addr)
	if err != nil {
		return err
	}
	defer process.Kill()
	for _, n := range connections {
		if _, err := b.load(ctx, server{process, addr, nil}, "a", n, 0, b.each, nil); err != nil {
			return err
		}
	}
	return nil
}

// serveBaseline serves that handler. Its answer is as long as hooktape's.
func serveBaseline(ctx context.Context, addr string) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	answer := []byte(`{"id":"01890000-0000-7000-8000-000000000000","received_at":"2026-01-02T03:04:05.678901Z"}` + "\n")
	engine.POST("/hooks/*hook", func(c *gin.Context) {
		if _, err := io.ReadAll(c.Request.Body); err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		c.Data(http.StatusOK, "application/json", answer)
	})
	server := &http.Server{Addr: addr, Handler: engine, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
