package api

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"hooktape/replay"
	"hooktape/store"
)

// probes are for whoever keeps processes running; they need no token.
func probes(engine *gin.Engine, failing, broken func() error) {
	engine.GET("/healthz", func(c *gin.Context) {
		if broken != nil && broken() != nil {
			c.String(http.StatusServiceUnavailable, "failed: the disk refused a write; see the log\n")
			return
		}
		c.String(http.StatusOK, "ok\n")
	})
	engine.GET("/readyz", func(c *gin.Context) {
		var err error
		if failing != nil {
			err = failing()
		}
		switch {
		case errors.Is(err, replay.ErrStandby):
			// The API answers, and whoever waits for this process to be ready before ending the other must not wait for ever.
			c.JSON(http.StatusOK, gin.H{"ready": true, "clickhouse": "ok", "delivering": false, "standby": err.Error()})
			return
		case errors.Is(err, store.ErrDamaged):
			c.JSON(http.StatusServiceUnavailable, gin.H{"ready": false, "clickhouse": "has a part that it cannot read; see the log, or hooktape doctor"})
			return
		case err != nil:
			c.JSON(http.StatusServiceUnavailable, gin.H{"ready": false, "clickhouse": "does not answer, or does not take outcomes; see the log"})
			return
		}
		c.JSON(http.StatusOK, gin.H{"ready": true, "clickhouse": "ok"})
	})
}
