package ingest

import (
	"errors"
	"net/http"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"hooktape/internal/spool"
)

// Lag describes the acknowledged events that are not in ClickHouse yet.
type Lag struct {
	Events uint64
	Bytes  uint64
	Oldest time.Time // when the oldest waiting event was accepted; zero when none waits
	Error  error     // why the last insert failed; nil if it succeeded
	// DamagedSpools is the number of quarantined spools.
	DamagedSpools int
	// Unreadable describes stored data that ClickHouse cannot read; nil if none is known.
	Unreadable error
}

// healthz fails if only a restart helps: after the disk has refused a write.
func (s *Server) healthz(c *gin.Context) {
	if err := s.spool.Ready(); errors.Is(err, spool.ErrFailed) {
		c.String(http.StatusServiceUnavailable, plainly(err)+"\n")
		return
	}
	c.String(http.StatusOK, "ok\n")
}

// readyz reports whether the next webhook would be stored. It stays ready while ClickHouse is unreachable, because
// events wait on disk, and after ClickHouse has lost data, because refusing webhooks would lose more.
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
		body["damaged"] = "a damaged spool was salvaged and quarantined: see damaged-*/damage.json in the spool's " +
			"directory, then remove it"
	}
	if lag.Unreadable != nil {
		body["clickhouse"] = "has a part that it cannot read; see the log, or hooktape doctor"
	}
	c.JSON(status, body)
}

// stuck returns the public reason why events stay on disk.
func stuck(err error) string {
	if _, damaged := errors.AsType[*spool.CorruptionError](err); damaged {
		return "the spool is damaged and cannot be salvaged now; events are accepted and wait on disk; see the log"
	}
	return "ClickHouse does not accept events; they wait on disk"
}

// plainly returns the public form of an error, without the paths and figures of the log.
func plainly(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "waiting: no file can be opened because all descriptors are in use; it continues when one is free"
	case errors.Is(err, spool.ErrFull):
		return "full: the disk or spool.max_bytes is reached"
	case errors.Is(err, spool.ErrSalvaging):
		return "damaged: it is being salvaged, and requests wait"
	}
	return "failed: the disk refused a write; see the log"
}
