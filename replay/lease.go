package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/time/rate"

	"hooktape/store"
)

const (
	leaseTime  = 10 * time.Second // a holder that was not seen for so long has gone
	leaseRenew = 2 * time.Second
)

// ErrStandby: another process delivers this shard; this one takes over when that has gone.
var ErrStandby = errors.New("another process delivers this part of the subscribers")

// errUnsure lasts for a second after the start.
var errUnsure = errors.New("whether another process delivers this part of the subscribers is being found out")

// lease keeps two processes from delivering the same shard, for each event would be sent twice. Of those that were seen
// of late the one that asked first holds it. ClickHouse has no compare-and-set, so a process writes before it reads, and
// holds only what it has found to be its own twice: of two that begin in the same moment at least one has seen the other.
type lease struct {
	store  *store.Store
	shard  string
	self   store.Holder
	logger *slog.Logger
	quiet  rate.Sometimes

	renewed time.Time
	rounds  int // in a row that found it to be ours
	err     error
}

func newLease(db *store.Store, shard, id string, logger *slog.Logger) *lease {
	host, _ := os.Hostname()
	return &lease{store: db, shard: shard, self: store.Holder{ID: id, Host: fmt.Sprintf("%s, process %d", cmp.Or(host, "unknown host"), os.Getpid())}, logger: logger,
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}}
}

// keep renews the lease when it is time to, and returns nil while it is held. While ClickHouse does not answer, it
// stays as it was: nobody else could take it either.
func (l *lease) keep(ctx context.Context) error {
	if l.rounds > 1 && time.Since(l.renewed) < leaseRenew {
		return l.err
	}
	if err := l.store.SeeHolder(ctx, l.shard, l.self, false); err != nil {
		return l.unless(err)
	}
	holders, err := l.store.Holders(ctx, l.shard, leaseTime)
	if err != nil {
		return l.unless(err)
	}
	l.renewed = time.Now()
	l.decide(holders)
	return l.err
}

func (l *lease) unless(err error) error {
	if l.rounds > 1 && l.err == nil {
		return nil
	}
	return err
}

// decide takes in who was seen of late.
func (l *lease) decide(holders []store.Holder) {
	for _, h := range holders {
		if h.ID == l.self.ID && l.self.Since.IsZero() {
			l.self.Since = h.Since
		}
	}
	if len(holders) == 0 { // it took ClickHouse so long to note us
		l.rounds, l.err = 0, errUnsure
		return
	}
	l.rounds++
	if first := holders[0]; first.ID != l.self.ID {
		l.rounds = 0
		l.err = fmt.Errorf("%w: %s has shard %s; this process takes over %v after that ends", ErrStandby, first.Host, l.shard, leaseTime)
		l.quiet.Do(func() {
			l.logger.Warn("nothing is delivered by this process; to share the work, give each its own replay.shard", "reason", l.err)
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
	_ = l.store.SeeHolder(ctx, l.shard, l.self, true)
}
