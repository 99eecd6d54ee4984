package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/store"
)

const (
	leaseTime  = 10 * time.Second // a process whose claim does not change for so long counts as dead
	leaseRenew = 2 * time.Second
	// leaseFence is after how long a process that cannot renew its claim stops sending: before another may begin.
	leaseFence   = leaseTime - leaseRenew
	leaseTimeout = 5 * time.Second        // of one renewal
	leaseCheck   = 500 * time.Millisecond // how often run checks whether the process stood still
)

// ErrStandby reports that another process delivers. This one takes over when that ends.
var ErrStandby = errors.New("another process delivers")

// errUnsure holds for a second after the start, and after the process or ClickHouse stood still.
var errUnsure = errors.New("finding out whether another process delivers")

// lease keeps two processes from delivering at the same time: every event would be sent twice. Each process claims the
// lease, and the living process that claimed it first has it. ClickHouse has no compare-and-set, so a process writes
// its claim before it reads all claims, and has the lease only after two rounds that found it to be first: of two that
// start at the same moment at least one has seen the other.
//
// A process is alive while its claim changes. Each process measures how long ago that was by its own monotonic clock,
// and no time of the database or of another machine counts. The process that takes over releases the claims of dead
// ones, so that a later start need not watch them again.
//
// A process that knows of others stops sending if it could not renew its claim for leaseFence, because one of them will
// take over. A process that knows of no other continues without ClickHouse, because nobody can take the lease then. A
// process that was stopped sends nothing before it has renewed its claim, and queues behind processes that started
// meanwhile.
type lease struct {
	store  *store.Store
	self   store.LeaseClaim
	logger *slog.Logger
	quiet  rate.Sometimes

	mu      sync.Mutex
	seen    sightings // of all claims
	checked time.Time // when run last was here: long ago if the process stood still
	renewed time.Time // the claim
	alone   bool      // there was no other claim then
	rounds  int       // in a row in which this process was first
	err     error     // why this process must not deliver
}

func newLease(db *store.Store, id string, logger *slog.Logger) *lease {
	host, _ := os.Hostname()
	host = fmt.Sprintf("%s, process %d", cmp.Or(host, "unknown host"), os.Getpid())
	return &lease{store: db, self: store.LeaseClaim{ID: id, Host: host}, logger: logger,
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}, err: errUnsure}
}

// sightings are when each process's claim was first seen with its last SeenAt, by this process's monotonic clock.
type sightings map[string]sighting

type sighting struct{ mark, at time.Time }

// update takes all claims as they were read.
func (s *sightings) update(claims []store.LeaseClaim, now time.Time) {
	seen := sightings{}
	for _, h := range claims {
		last, known := (*s)[h.ID]
		if !known || !last.mark.Equal(h.SeenAt) {
			last = sighting{h.SeenAt, now}
		}
		seen[h.ID] = last
	}
	*s = seen
}

// alive reports whether a process's claim has changed in the last leaseTime.
func (s sightings) alive(id string, now time.Time) bool { return now.Sub(s[id].at) < leaseTime }

// state returns nil while this process has the lease, and otherwise why it has not.
func (l *lease) state() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && (!within(l.checked, leaseFence) || !l.alone && !within(l.renewed, leaseFence)) {
		return errUnsure
	}
	return l.err
}

// held reports whether this process may deliver now.
func (l *lease) held() bool { return l.state() == nil }

// within reports whether t is less than d ago by both clocks: the wall clock continues while the machine sleeps, and
// the monotonic one when someone sets the wall clock.
func within(t time.Time, d time.Duration) bool {
	now := time.Now()
	return now.Sub(t) < d && now.Round(0).Sub(t.Round(0)) < d
}

// run renews the claim until ctx ends.
func (l *lease) run(ctx context.Context) {
	tick := time.NewTicker(leaseCheck)
	defer tick.Stop()
	for {
		if !l.fresh() {
			l.renew(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// fresh reports whether the claim needs no renewal now.
func (l *lease) fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !within(l.renewed, leaseRenew) || l.err != nil {
		return false
	}
	l.checked = time.Now()
	return true
}

// renew renews the claim, reads all claims and decides whether this process has the lease.
func (l *lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	self, stoodStill := l.claim()
	asked := time.Now()
	err := l.store.RenewLease(ctx, store.DeliveryLease, self)
	var claims []store.LeaseClaim
	if err == nil {
		claims, err = l.store.LeaseClaims(ctx, store.DeliveryLease)
	}
	for _, dead := range l.decide(claims, asked, stoodStill, err) {
		if err := l.store.ReleaseLease(ctx, store.DeliveryLease, dead); err != nil {
			l.logger.Warn("cannot release the lease of a dead process; it is tried again", "error", err)
			return
		}
		l.logger.Info("took over from a process that has ended or stands still", "process", dead.Host)
	}
}

// decide applies the result of a renewal, and returns the dead processes whose claims are to be released.
func (l *lease) decide(
	claims []store.LeaseClaim, asked time.Time, stoodStill bool, err error,
) (release []store.LeaseClaim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checked = time.Now()
	switch {
	case err != nil && (l.rounds < 2 || stoodStill):
		l.rounds, l.err = 0, fmt.Errorf("renew the lease: %w", err)
	case err != nil: // nothing changes
	case !within(asked, leaseTime): // ClickHouse took so long that others may believe this process dead
		l.rounds, l.err = 0, errUnsure
	case !slices.ContainsFunc(claims, l.isSelf): // a replica of a cluster may not have the claim yet
		l.rounds, l.err = 0, errUnsure
	default:
		alive, dead := l.split(claims, l.checked)
		l.apply(alive, asked)
		if l.err == nil {
			release = dead
		}
	}
	return release
}

// split returns the claims of living processes, this one among them, and those of dead ones.
func (l *lease) split(claims []store.LeaseClaim, now time.Time) (alive, dead []store.LeaseClaim) {
	l.seen.update(claims, now)
	for _, c := range claims {
		if l.isSelf(c) || l.seen.alive(c.ID, now) {
			alive = append(alive, c)
		} else {
			dead = append(dead, c)
		}
	}
	return alive, dead
}

func (l *lease) isSelf(c store.LeaseClaim) bool { return c.ID == l.self.ID }

// claim returns this process's claim, and reports whether the process stood still. If it was not renewed for so long
// that another may have begun, it is a new claim, behind the other's.
func (l *lease) claim() (self store.LeaseClaim, stoodStill bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !within(l.renewed, leaseTime) {
		l.self.Since = time.Time{}
	}
	return l.self, !within(l.checked, leaseFence)
}

// apply applies the claims of the living processes, including this one, in order of time.
func (l *lease) apply(claims []store.LeaseClaim, asked time.Time) {
	l.renewed, l.alone = asked, len(claims) == 1 && l.isSelf(claims[0])
	for _, c := range claims {
		if l.isSelf(c) {
			l.self.Since = c.Since
		}
	}
	l.rounds++
	if first := claims[0]; !l.isSelf(first) {
		l.rounds = 0
		l.err = fmt.Errorf("%w: %s has the lease; this process takes over %v after that ends", ErrStandby, first.Host,
			leaseTime)
		l.quiet.Do(func() { l.logger.Warn("this process stands by and delivers nothing", "reason", l.err) })
		return
	}
	l.err = nil
	if l.rounds < 2 {
		l.err = errUnsure
	}
}

// release lets another process take over immediately.
func (l *lease) release() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.store.ReleaseLease(ctx, store.DeliveryLease, l.self)
}

// sleep waits until d has passed or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
