package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// pickySink refuses every batch with a record that begins with "bad", and fails the first calls.
type pickySink struct {
	mu          sync.Mutex
	away        int
	stored      []string
	quarantined []string
	tokens      map[string]bool
	seen        []bool // whether each batch was marked as repeated
}

func (s *pickySink) Store(_ context.Context, b Batch) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, b.Repeated)
	if b.Mark != uint64(len(s.stored)) {
		return 0, fmt.Errorf("mark %d after %d records: %w", b.Mark, len(s.stored), ErrRefused)
	}
	if s.away > 0 {
		s.away--
		return 0, errors.New("away")
	}
	for _, r := range b.Records {
		if strings.HasPrefix(string(r), "bad") {
			return 0, fmt.Errorf("%w: %s", ErrRefused, r)
		}
	}
	if s.tokens[b.Token()] {
		return 0, fmt.Errorf("token %s is repeated", b.Token())
	}
	s.tokens[b.Token()] = true
	for _, r := range b.Records {
		s.stored = append(s.stored, string(r))
	}
	return b.Mark + uint64(len(b.Records)), nil
}

func (s *pickySink) Quarantine(_ context.Context, b Batch, refusal error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b.Records) != 1 || !strings.Contains(refusal.Error(), string(b.Records[0])) {
		return fmt.Errorf("quarantined %d records for %w", len(b.Records), refusal)
	}
	s.quarantined = append(s.quarantined, string(b.Records[0]))
	return nil
}

// TestDrain verifies that good records are stored once and in order across an outage of the sink; that only refused
// records are quarantined; that OnStore gets each result; and that Flush waits for all of it.
func TestDrain(t *testing.T) {
	o := DefaultOptions()
	o.MinFree = 0
	var stored, quarantined, away, refused int
	o.OnStore = func(s Store) {
		switch {
		case errors.Is(s.Err, ErrRefused):
			refused++
		case s.Err != nil:
			away++
		case s.Quarantined:
			quarantined += s.Records
		default:
			stored += s.Records
		}
	}
	s, err := Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var want []string
	ctx := context.Background()
	for i := range 100 {
		record := fmt.Sprintf("good-%d", i)
		if i%33 == 5 {
			record = fmt.Sprintf("bad-%d", i)
		} else {
			want = append(want, record)
		}
		if err := s.Append(ctx, []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	sink := &pickySink{away: 3, tokens: map[string]bool{}}
	d := NewDrain(s, sink, Limits{Records: 40, Bytes: 1 << 20, Age: time.Millisecond}, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(sink.stored, want) {
		t.Errorf("stored %v", sink.stored)
	}
	if !slices.Equal(sink.seen[:4], []bool{false, true, true, true}) {
		t.Errorf("batches marked as repeated, during and after the outage: %v", sink.seen[:4])
	}
	if !slices.Equal(sink.quarantined, []string{"bad-5", "bad-38", "bad-71"}) {
		t.Errorf("quarantined %v", sink.quarantined)
	}
	if err := d.Failing(); err != nil {
		t.Errorf("still failing: %v", err)
	}
	if stat := s.Stat(); stat.Records != 0 {
		t.Errorf("%d records left", stat.Records)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if stored != len(want) || quarantined != 3 || away != 3 || refused < 3 {
		t.Errorf("OnStore got %d stored, %d quarantined, %d failures and %d refusals", stored, quarantined, away,
			refused)
	}
}

// TestDrainReportsFailure verifies that while the sink is away Failing returns the reason, and Flush returns when its
// context ends.
func TestDrainReportsFailure(t *testing.T) {
	o := DefaultOptions()
	o.MinFree = 0
	s, err := Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(context.Background(), []byte("good")); err != nil {
		t.Fatal(err)
	}
	d := NewDrain(s, &pickySink{away: 1 << 30}, Limits{Records: 1, Bytes: 1, Age: 0}, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	soon, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := d.Flush(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush returned %v", err)
	}
	if err := d.Failing(); err == nil || err.Error() != "away" {
		t.Errorf("Failing returned %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
