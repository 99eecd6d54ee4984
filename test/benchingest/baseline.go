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
)

// bare measures a handler that promises nothing, in a process of its own: what gin and the machine allow.
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

// serveBaseline is that handler. Its answer is as long as hooktape's.
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
