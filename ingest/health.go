package ingest

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"hooktape/spool"
)

// Lag is how far ClickHouse is behind what has been acknowledged.
type Lag struct {
	Events uint64
	Bytes  uint64
	Oldest time.Time // when the oldest waiting event was taken; zero when none waits
	Error  error     // why the last insert failed; nil when it did not
	Damage error     // what of the stored events ClickHouse cannot read; nil when nothing is known of
}

// readyz says whether the next webhook would be stored. That ClickHouse is away does not count against it: events wait
// on disk. Nor does it that it has lost some of what it had: refusing webhooks would lose more.
func (s *Server) readyz(c *gin.Context) {
	status, body := http.StatusOK, gin.H{"ready": true, "spool": "ok"}
	if err := s.spool.Ready(); err != nil {
		status, body = http.StatusServiceUnavailable, gin.H{"ready": false, "spool": plainly(err)}
	}
	lag := s.lag()
	drain := gin.H{"waiting_events": lag.Events, "waiting_bytes": lag.Bytes, "behind_seconds": 0.0}
	if !lag.Oldest.IsZero() {
		drain["behind_seconds"] = time.Since(lag.Oldest).Round(time.Millisecond).Seconds()
	}
	if lag.Error != nil {
		drain["error"] = "ClickHouse does not take events; they wait on disk"
	}
	body["drain"] = drain
	if lag.Damage != nil {
		body["clickhouse"] = "has a part that it cannot read; see the log, or hooktape doctor"
	}
	c.JSON(status, body)
}

// plainly says to the outside what is wrong, without the paths and figures that the log has.
func plainly(err error) string {
	if errors.Is(err, spool.ErrFull) {
		return "full: the disk or spool.max_bytes is reached"
	}
	return "failed: the disk refused a write; see the log"
}
