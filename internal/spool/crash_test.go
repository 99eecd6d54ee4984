package spool

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sink is the database behind the drain: it stores batches and drops a batch with a known token.
type sink struct {
	mu      sync.Mutex
	batches map[string][]string
}

func (k *sink) insert(b Batch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, seen := k.batches[b.Token()]; !seen {
		k.batches[b.Token()] = texts(b)
	}
}

func (k *sink) has(b Batch) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, seen := k.batches[b.Token()]
	return seen
}

// world is a spool on a disk that can lose power, with its appenders and its drain, and what they know.
type world struct {
	fs   *vfs.MemFS
	sink *sink

	mu    sync.Mutex
	acked map[string]bool
}

func (w *world) options() Options {
	o := options(lockless{w.fs})
	o.memTable = 64 << 10
	return o
}

// lockless has no locks: MemFS acquires its own lock twice in Lock, which deadlocks with a concurrent crash.
type lockless struct{ vfs.FS }

func (lockless) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// run appends and drains until ctx ends.
func (w *world) run(t *testing.T, ctx context.Context, s *Spool, round int, rng *rand.Rand) {
	var group sync.WaitGroup
	for a := range 4 {
		seed := rng.Uint64()
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for i := 0; ctx.Err() == nil; i++ {
				record := fmt.Sprintf("%d %d %d %s", round, a, i, strings.Repeat("x", rng.IntN(4000)))
				if s.Append(ctx, []byte(record)) == nil {
					w.mu.Lock()
					w.acked[record] = true
					w.mu.Unlock()
				}
			}
		})
	}
	seed := rng.Uint64()
	group.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 0))
		for {
			l := Limits{Records: 1 + rng.IntN(30), Bytes: 1 + rng.Int64N(50_000), Age: time.Microsecond}
			b, err := s.Next(ctx, l)
			if err != nil {
				return
			}
			// A possibly stored batch is never refused, and must not shrink.
			if rng.IntN(4) == 0 && !w.sink.has(b) {
				if b, err = s.Shrink(b, 1+rng.IntN(len(b.Records))); err != nil {
					t.Error(err)
				}
			}
			w.sink.insert(b)
			if rng.IntN(8) == 0 {
				if again, err := s.Next(ctx, l); err == nil && again.Token() != b.Token() {
					t.Errorf("%s, then %s", b.Token(), again.Token())
				}
			}
			if err := s.Ack(b); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
}

// crash cuts the power. It returns a copy of the disk, of the sink, and of the acknowledged records at that moment.
func (w *world) crash(rng *rand.Rand) *world {
	w.mu.Lock()
	acked := maps.Clone(w.acked)
	w.mu.Unlock()
	w.sink.mu.Lock() // no batch may reach the sink between the two copies
	defer w.sink.mu.Unlock()
	return &world{
		fs: w.fs.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: []int{0, 0, 20, 50, 80, 100}[rng.IntN(6)], RNG: rng,
		}),
		sink:  &sink{batches: maps.Clone(w.sink.batches)},
		acked: acked,
	}
}

// check drains the rest into the sink and compares it with the acknowledged records.
func (w *world) check(t *testing.T) {
	t.Helper()
	s := open(t, "/data/spool", w.options())
	defer s.Close()
	if d := s.Stat().Damaged; len(d) > 0 {
		t.Fatalf("a crash was reported as damage: %+v", d)
	}
	for s.Stat().Records > 0 {
		b := next(t, s, soon(1000))
		w.sink.insert(b)
		ack(t, s, b)
	}
	seen := map[string]int{}
	order := map[string]int{}
	tokens := slices.SortedFunc(maps.Keys(w.sink.batches), func(a, b string) int { return firstOf(a) - firstOf(b) })
	for _, token := range tokens {
		for _, r := range w.sink.batches[token] {
			seen[r]++
			var round, a, i int
			fmt.Sscan(r, &round, &a, &i)
			from := fmt.Sprint(round, a)
			if last, ok := order[from]; ok && i <= last {
				t.Fatalf("appender %s: %d after %d", from, i, last)
			}
			order[from] = i
		}
	}
	for r, n := range seen {
		if n > 1 {
			t.Fatalf("%.20s is stored %d times", r, n)
		}
	}
	for r := range w.acked {
		if seen[r] == 0 {
			t.Fatalf("%.20s was acknowledged and is not stored", r)
		}
	}
}

func firstOf(token string) (first int) {
	fmt.Sscan(strings.Split(token, "-")[1], &first)
	return first
}

// TestCrash cuts the power of a spool at random moments, repeatedly. Whatever part of the unsynced data the disk has
// kept, each acknowledged record must be stored once, in order.
func TestCrash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	w := &world{fs: fs, sink: &sink{batches: map[string][]string{}}, acked: map[string]bool{}}
	crashes := 0
	for round := range 8 {
		s := open(t, "/data/spool", w.options())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.run(t, ctx, s, round, rand.New(rand.NewPCG(seed, uint64(round))))
		}()
		var crashed []*world
		for len(crashed) < 6 {
			before := s.Stat().Appended
			more := uint64(rng.IntN(150))
			eventually(t, "progress", func() bool { return s.Stat().Appended >= before+more })
			crashed = append(crashed, w.crash(rng))
		}
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range crashed[1:] {
			c.check(t)
			crashes++
		}
		w = crashed[0]
		if t.Failed() {
			return
		}
	}
	t.Logf("%d crashes, %d records acknowledged", crashes, len(w.acked))
}

// TestCrashWhileOpening cuts the power while a spool is created, and while a spool with records is opened.
func TestCrashWhileOpening(t *testing.T) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	w := &world{fs: vfs.NewCrashableMem(), sink: &sink{batches: map[string][]string{}}, acked: map[string]bool{}}
	for range 10 {
		var crashed []*world
		opened := make(chan *Spool)
		go func() { opened <- open(t, "/data/spool", w.options()) }()
		var s *Spool
		for s == nil {
			select {
			case s = <-opened:
			default:
				if len(crashed) < 20 {
					crashed = append(crashed, w.crash(rng))
				}
			}
		}
		for i := range 20 {
			record := fmt.Sprintf("%p 0 %d", s, i)
			appendAll(t, s, record)
			w.acked[record] = true
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range crashed {
			s := open(t, "/data/spool", c.options())
			if d := s.Stat().Damaged; len(d) > 0 {
				t.Fatalf("a crash was reported as damage: %+v", d)
			}
			got := drain(t, s)
			for r := range c.acked {
				if !slices.Contains(got, r) {
					t.Fatalf("%q was acknowledged and is lost", r)
				}
			}
			s.Close()
		}
	}
}

// markers is a disk that loses power whenever Pebble writes a marker that names the current manifest. That file must
// survive.
type markers struct {
	*vfs.MemFS
	t    *testing.T
	made int
}

func (m *markers) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if _, manifest, found := strings.Cut(m.PathBase(name), "MANIFEST-"); found &&
		strings.HasPrefix(m.PathBase(name), markerPrefix) {
		m.made++
		after := m.CrashClone(vfs.CrashCloneCfg{})
		if _, err := after.Stat(m.PathJoin(m.PathDir(name), "MANIFEST-"+manifest)); err != nil {
			m.t.Errorf("the new marker names a file that a power cut removes: %v", err)
		}
	}
	return m.MemFS.Create(name, c)
}

// TestMarkerNamesDurableFile verifies that a marker only names a file that is durable: of two new names in a directory
// a power cut may keep either.
func TestMarkerNamesDurableFile(t *testing.T) {
	m := &markers{MemFS: vfs.NewCrashableMem(), t: t}
	for range 2 { // a new spool, and an existing one
		if err := open(t, "/data/spool", options(lockless{m})).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if m.made < 2 {
		t.Errorf("%d markers written", m.made)
	}
}
