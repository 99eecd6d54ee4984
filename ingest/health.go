package ingest

import (
	"errors"
	"net/http"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"hooktape/internal/spool"
)

// Lag is how far ClickHouse is behind what has been acknowledged.
type Lag struct {
	Events uint64
	Bytes  uint64
	Oldest time.Time // when the oldest waiting event was taken; zero when none waits
	Error  error     // why the last insert failed; nil when it did not
	// DamagedSpools counts those that were set aside and still lie there.
	DamagedSpools int
	// Unreadable is what of the stored events ClickHouse cannot read; nil when nothing is known of.
	Unreadable error
}

// healthz says whether anything but a restart would help: it would not where the disk has refused a write.
func (s *Server) healthz(c *gin.Context) {
	if err := s.spool.Ready(); errors.Is(err, spool.ErrFailed) {
		c.String(http.StatusServiceUnavailable, plainly(err)+"\n")
		return
	}
	c.String(http.StatusOK, "ok\n")
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
		drain["error"] = stuck(lag.Error)
	}
	body["drain"] = drain
	if lag.DamagedSpools > 0 {
		body["damaged"] = "a damaged spool was salvaged and set aside: see damaged-*/damage.json in the spool's directory, then remove it"
	}
	if lag.Unreadable != nil {
		body["clickhouse"] = "has a part that it cannot read; see the log, or hooktape doctor"
	}
	c.JSON(status, body)
}

// stuck says to the outside why events stay on disk.
func stuck(err error) string {
	if _, damaged := errors.AsType[*spool.CorruptionError](err); damaged {
		return "the spool is damaged and cannot be salvaged now; events are taken and wait on disk; see the log"
	}
	return "ClickHouse does not take events; they wait on disk"
}

// plainly says to the outside what is wrong, without the paths and figures that the log has.
func plainly(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "waiting: no file can be opened, for others hold all descriptors; it goes on by itself"
	case errors.Is(err, spool.ErrFull):
		return "full: the disk or spool.max_bytes is reached"
	case errors.Is(err, spool.ErrSalvaging):
		return "damaged: it is being salvaged, and requests wait for that"
	}
	return "failed: the disk refused a write; see the log"
}
