package replay

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Handler is what the API's address answers.
func (r *Runner) Handler() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(gin.Recovery())
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	engine.GET("/readyz", func(c *gin.Context) {
		if r.Failing() != nil {
			c.JSON(http.StatusServiceUnavailable, gin.H{"ready": false, "clickhouse": "does not answer, or does not take outcomes; see the log"})
			return
		}
		c.JSON(http.StatusOK, gin.H{"ready": true, "clickhouse": "ok"})
	})
	return engine
}
