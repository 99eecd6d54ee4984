package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/store"
)

const (
	leaseTime  = 10 * time.Second // a holder that was not seen for so long has gone
	leaseRenew = 2 * time.Second
	// leaseFence is after how long a holder that cannot be seen stops sending, before another may begin.
	leaseFence = leaseTime - leaseRenew
	leaseAsk   = 5 * time.Second // for one renewal
)

// ErrStandby: another process delivers; this one takes over when that has gone.
var ErrStandby = errors.New("another process delivers")

// errUnsure lasts for a second after the start, and after a time in which the process or ClickHouse stood still.
var errUnsure = errors.New("finding out whether another process delivers")

// lease keeps two processes from delivering at once, because every event would be sent twice. Of those that are alive
// the one that asked first holds it. ClickHouse has no compare-and-set, so a process writes before it reads, and holds only
// what it has found to be its own twice: of two that begin in the same moment at least one has seen the other.
//
// A holder is alive while what it writes changes. How long ago that was, each process measures by its own monotonic clock;
// no time of the database or of another machine decides. A holder that is not alive any more is noted as released by the
// process that takes over, so that a later start need not watch it again.
//
// A holder that knows of others sends nothing more when it could not renew for a while, for one of them will begin. One
// that knows of none goes on without ClickHouse: nobody could take the lease from it there. One that stood still itself
// sends nothing before it has looked, and queues behind whoever came meanwhile.
type lease struct {
	store  *store.Store
	self   store.LeaseClaim
	logger *slog.Logger
	quiet  rate.Sometimes

	mu      sync.Mutex
	seen    sightings // of all holders
	beat    time.Time // when it was last tried to look
	renewed time.Time // when that last worked
	alone   bool      // no other was seen then
	rounds  int       // in a row that found it to be ours
	err     error     // why nothing may be sent
}

func newLease(db *store.Store, id string, logger *slog.Logger) *lease {
	host, _ := os.Hostname()
	return &lease{store: db, self: store.LeaseClaim{ID: id, Host: fmt.Sprintf("%s, process %d", cmp.Or(host, "unknown host"), os.Getpid())}, logger: logger,
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}, err: errUnsure}
}

// sightings are when each holder of a lease was first seen with its last SeenAt, by this process's monotonic clock.
type sightings map[string]sighting

type sighting struct{ mark, at time.Time }

// take notes what was read of all holders.
func (s *sightings) take(holders []store.LeaseClaim, now time.Time) {
	seen := sightings{}
	for _, h := range holders {
		last, known := (*s)[h.ID]
		if !known || !last.mark.Equal(h.SeenAt) {
			last = sighting{h.SeenAt, now}
		}
		seen[h.ID] = last
	}
	*s = seen
}

// alive reports whether a holder has changed in the last leaseTime.
func (s sightings) alive(id string, now time.Time) bool { return now.Sub(s[id].at) < leaseTime }

// state is nil while this process holds the lease.
func (l *lease) state() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && (!within(l.beat, leaseFence) || !l.alone && !within(l.renewed, leaseFence)) {
		return errUnsure
	}
	return l.err
}

// held tells whether anything may be sent now.
func (l *lease) held() bool { return l.state() == nil }

// within tells whether a time is no longer ago than d, by the clock on the wall and by the one that only goes forward: the
// one goes on while the machine sleeps, the other when somebody sets the first.
func within(t time.Time, d time.Duration) bool {
	now := time.Now()
	return now.Sub(t) < d && now.Round(0).Sub(t.Round(0)) < d
}

// run looks and renews until ctx ends.
func (l *lease) run(ctx context.Context) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		if !l.fresh() {
			l.keep(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// fresh notes that the process goes on, and tells whether it need not ask now.
func (l *lease) fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !within(l.renewed, leaseRenew) || l.err != nil {
		return false
	}
	l.beat = time.Now()
	return true
}

// keep renews the lease and takes in who else is there.
func (l *lease) keep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaseAsk)
	defer cancel()
	self, stood := l.asking()
	asked := time.Now()
	err := l.store.RenewLease(ctx, store.DeliveryLease, self)
	var holders []store.LeaseClaim
	if err == nil {
		holders, err = l.store.LeaseClaims(ctx, store.DeliveryLease)
	}
	for _, gone := range l.take(holders, asked, stood, err) {
		if err := l.store.ReleaseLease(ctx, store.DeliveryLease, gone); err != nil {
			l.logger.Warn("cannot note that another process no longer holds the lease; it is tried again", "error", err)
			return
		}
		l.logger.Info("took over from a process that has ended or stands still", "process", gone.Host)
	}
}

// take takes in an answer of ClickHouse, and returns the holders to be noted as released.
func (l *lease) take(holders []store.LeaseClaim, asked time.Time, stood bool, err error) (gone []store.LeaseClaim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beat = time.Now()
	switch {
	case err != nil && (l.rounds < 2 || stood):
		l.rounds, l.err = 0, fmt.Errorf("hold the lease: %w", err)
	case err != nil: // it stays as it was
	case !within(asked, leaseTime): // it took ClickHouse so long that others may take us for gone
		l.rounds, l.err = 0, errUnsure
	default:
		alive, dead := l.alive(holders, l.beat)
		l.decide(alive, asked)
		if l.err == nil {
			gone = dead
		}
	}
	return gone
}

// alive parts the holders in those that are alive, this process among them, and those that are not.
func (l *lease) alive(holders []store.LeaseClaim, now time.Time) (alive, dead []store.LeaseClaim) {
	l.seen.take(holders, now)
	for _, h := range holders {
		if h.ID == l.self.ID || l.seen.alive(h.ID, now) {
			alive = append(alive, h)
		} else {
			dead = append(dead, h)
		}
	}
	return alive, dead
}

// asking is what to note of this process, and whether it stood still before. One that was not seen for so long that
// another may have begun asks anew, and so comes behind it.
func (l *lease) asking() (self store.LeaseClaim, stood bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !within(l.renewed, leaseTime) {
		l.self.Since = time.Time{}
	}
	return l.self, !within(l.beat, leaseFence)
}

// decide takes in who was seen of late.
func (l *lease) decide(holders []store.LeaseClaim, asked time.Time) {
	l.renewed, l.alone = asked, len(holders) == 1 && holders[0].ID == l.self.ID
	for _, h := range holders {
		if h.ID == l.self.ID {
			l.self.Since = h.Since
		}
	}
	l.rounds++
	if first := holders[0]; first.ID != l.self.ID {
		l.rounds = 0
		l.err = fmt.Errorf("%w: %s holds the lease; this process takes over %v after that ends", ErrStandby, first.Host, leaseTime)
		l.quiet.Do(func() {
			l.logger.Warn("this process stands by and delivers nothing", "reason", l.err)
		})
		return
	}
	l.err = nil
	if l.rounds < 2 {
		l.err = errUnsure
	}
}

// release lets others have it at once.
func (l *lease) release() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.store.ReleaseLease(ctx, store.DeliveryLease, l.self)
}
