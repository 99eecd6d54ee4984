package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// probes are for whoever keeps processes running; they need no token.
func probes(engine *gin.Engine, failing func() error) {
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	engine.GET("/readyz", func(c *gin.Context) {
		if failing != nil && failing() != nil {
			c.JSON(http.StatusServiceUnavailable, gin.H{"ready": false, "clickhouse": "does not answer, or does not take outcomes; see the log"})
			return
		}
		c.JSON(http.StatusOK, gin.H{"ready": true, "clickhouse": "ok"})
	})
}
