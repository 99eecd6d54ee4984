package api

import (
	"context"
	"crypto/sha256"
	"maps"
	"strings"
	"sync"
	"time"

	"hooktape/internal/store"
	"hooktape/replay"
)

// looks write into the audit log who has looked at what. Who looks at the same again and again stands there once an hour.
type looks struct {
	db   *store.Store
	mu   sync.Mutex
	seen map[look]time.Time
}

type look struct {
	who, action string
	target      [sha256.Size]byte // the hash of the whole
}

const (
	lookAgain = time.Hour
	maxLooks  = 10_000
	maxTarget = 2000 // bytes; a selection may name thousands of events
)

func newLooks(db *store.Store) *looks { return &looks{db: db, seen: map[look]time.Time{}} }

// note writes that somebody looks at something.
func (l *looks) note(ctx context.Context, by replay.Actor, action, target string) error {
	now, k := time.Now(), look{by.Name, action, sha256.Sum256([]byte(target))}
	if !l.due(k, now) {
		return nil
	}
	if len(target) > maxTarget {
		target = strings.ToValidUTF8(target[:maxTarget], "")
	}
	entry := store.AuditEntry{At: now, Who: by.Name, Action: action, Target: target, Detail: "{}"}
	if by.RemoteIP.IsValid() {
		entry.RemoteIP = by.RemoteIP.String()
	}
	err := l.db.Audit(ctx, entry)
	if err != nil {
		l.forget(k)
	}
	return err
}

// due tells whether a look is to be written down, and takes it for written.
func (l *looks) due(k look, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.seen[k]; ok && now.Sub(last) < lookAgain {
		return false
	}
	if len(l.seen) >= maxLooks {
		maps.DeleteFunc(l.seen, func(_ look, at time.Time) bool { return now.Sub(at) >= lookAgain })
	}
	if len(l.seen) >= maxLooks {
		clear(l.seen) // all of them stand there once more, if they are done again
	}
	l.seen[k] = now
	return true
}

func (l *looks) forget(k look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, k)
}
