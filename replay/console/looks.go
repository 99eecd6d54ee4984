package console

import (
	"sync"
	"time"

	"hooktape/store"
)

// looks remembers what was written into the audit log of late, so that a person who looks at an event again and again
// stands there once an hour.
type looks struct {
	mu   sync.Mutex
	seen map[look]time.Time
}

type look struct{ who, action, target string }

const (
	lookAgain = time.Hour
	maxLooks  = 10_000
	maxTarget = 2000 // characters; a selection may name thousands of events
)

func newLooks() *looks { return &looks{seen: map[look]time.Time{}} }

// due tells whether a look is to be written down, and takes it for written.
func (l *looks) due(k look, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.seen[k]; ok && now.Sub(last) < lookAgain {
		return false
	}
	for old, at := range l.seen {
		if now.Sub(at) >= lookAgain || len(l.seen) >= maxLooks {
			delete(l.seen, old)
		}
	}
	l.seen[k] = now
	return true
}

func (l *looks) forget(k look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, k)
}

// note writes into the audit log that the visitor has looked at something. What cannot be written down is not shown.
func (v *visit) note(action, target string) error {
	target, _ = clip(target, maxTarget)
	k := look{v.who.Name, action, target}
	if !v.looks.due(k, v.now) {
		return nil
	}
	entry := store.AuditEntry{At: v.now, Who: v.who.Name, Action: action, Target: target, Detail: "{}"}
	if remote := remoteOf(v.Request); remote.IsValid() {
		entry.RemoteIP = remote.String()
	}
	err := v.Store.Audit(v.Context(), entry)
	if err != nil {
		v.looks.forget(k)
	}
	return err
}
